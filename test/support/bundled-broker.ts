import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { ROOT } from './document-shell.ts';
import { CACHE, MAIN } from './started-program.ts';

/**
 * Bundles `src/main.ts` with all its modules into one file, which starts in half the CPU time: the tests start a thousand brokers.
 * Files that the broker reads beside its modules are still read there. Returns the path of the bundle.
 */
export async function bundleBroker(): Promise<string> {
  const bundle = await rolldown({
    input: MAIN,
    cwd: ROOT,
    platform: 'node',
    // Whatever the broker calls is called, also for the error that it may throw.
    treeshake: false,
    plugins: [
      {
        name: 'places of modules',
        transform: {
          filter: { id: /\/src\/[^?]*\.ts$/, code: 'import.meta.url' },
          handler: (code, id) => code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href)),
        },
      },
    ],
  });
  const part = `main.${process.pid}.mjs`;
  await bundle.write({
    dir: CACHE,
    entryFileNames: part,
    format: 'esm',
    codeSplitting: false,
    minify: false,
  });
  await bundle.close();
  const path = join(CACHE, 'main.mjs');
  await rename(join(CACHE, part), path);
  return path;
}
