import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Builds `client/dist/`, which the package `@sluice/client` consists of. `npm pack` runs it, and so does an example whose client
 * is missing or old. Each file is replaced in one step, so programs that read the folder meanwhile never find half of it.
 */
const CLIENT = join(import.meta.dirname, '../client');
const DIST = join(CLIENT, 'dist');

mkdirSync(DIST, { recursive: true });
// In `dist/` itself, so that git ignores it after a crash, too.
const built = mkdtempSync(join(DIST, 'new-'));
try {
  execFileSync('tsc', ['-p', CLIENT, '--outDir', built], { stdio: 'inherit' });
  const files = readdirSync(built);
  for (const file of files) renameSync(join(built, file), join(DIST, file));
  for (const file of readdirSync(DIST))
    if (!files.includes(file) && !file.startsWith('new-')) rmSync(join(DIST, file), { force: true });
} finally {
  rmSync(built, { recursive: true, force: true });
}
