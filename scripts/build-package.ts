import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Builds `dist/`, which the package `sluice` consists of. `npm pack` runs it. The folders in `dist/` are those of the
 * repository, so that relative paths to files that are no modules stay right.
 */
const ROOT = join(import.meta.dirname, '..');
const DIST = join(ROOT, 'dist');
/** Files that the broker reads at run time. */
const READ_AT_RUN_TIME = ['src/console', 'src/redis/lua'];

rmSync(DIST, { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'inherit' });
for (const folder of READ_AT_RUN_TIME) cpSync(join(ROOT, folder), join(DIST, folder), { recursive: true });
// The broker reads its version from the package.json above src/.
const { name, version, type } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
  string,
  string
>;
writeFileSync(
  join(DIST, 'package.json'),
  `${JSON.stringify({ name, version, private: true, type }, undefined, 2)}\n`,
);
