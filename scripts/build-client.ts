import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Builds `client/dist/`, which the package `@sluice/client` consists of. `npm pack` runs it, and so does an example whose client
 * is missing or old. Each file is replaced in one step, so programs that read the folder meanwhile never find half of it.
 */
const CLIENT = join(import.meta.dirname, '../client');
const DIST = join(CLIENT, 'dist');
/** On the same disk, so that files can be moved. */
const CACHE = join(import.meta.dirname, '../node_modules/.cache');

mkdirSync(DIST, { recursive: true });
mkdirSync(CACHE, { recursive: true });
const built = mkdtempSync(join(CACHE, 'sluice-client-'));
try {
  execFileSync('tsc', ['-p', CLIENT, '--outDir', built], { stdio: 'inherit' });
  const files = readdirSync(built);
  for (const file of files) renameSync(join(built, file), join(DIST, file));
  for (const file of readdirSync(DIST))
    if (!files.includes(file)) rmSync(join(DIST, file), { force: true, recursive: true });
} finally {
  rmSync(built, { recursive: true, force: true });
}
