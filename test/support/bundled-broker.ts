import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { ROOT } from './document-shell.ts';
import { CACHE, MAIN } from './started-program.ts';

const STORAGE_THREAD = join(ROOT, 'src/log/disk/storage-thread.ts');
/** Starts the thread, by the name that follows from its own: the bundle of the thread lies beside that of the broker. */
const STORAGE_CLIENT = join(ROOT, 'src/log/disk/storage-client.ts');

/**
 * Bundles `src/main.ts` with all its modules into one file, which starts in half the CPU time: the tests start a thousand brokers.
 * The thread of the log on disk is another bundle. Files that the broker reads beside its modules are still read there. Returns the
 * path of the broker's bundle.
 */
export async function bundleBroker(): Promise<string> {
  const [path] = await Promise.all([bundled(MAIN, 'main'), bundled(STORAGE_THREAD, 'storage-thread')]);
  return path;
}

async function bundled(input: string, name: string): Promise<string> {
  const path = join(CACHE, `${name}.mjs`);
  const bundle = await rolldown({
    input,
    cwd: ROOT,
    platform: 'node',
    // Whatever the broker calls is called, also for the error that it may throw.
    treeshake: false,
    plugins: [
      {
        name: 'places of modules',
        transform: {
          filter: { id: /\/src\/[^?]*\.ts$/, code: 'import.meta.url' },
          handler: (code, id) => {
            const place = pathToFileURL(id === STORAGE_CLIENT ? path : id).href;
            return code.replaceAll('import.meta.url', JSON.stringify(place));
          },
        },
      },
    ],
  });
  const part = `${name}.${process.pid}.mjs`;
  await bundle.write({
    dir: CACHE,
    entryFileNames: part,
    format: 'esm',
    codeSplitting: false,
    minify: false,
  });
  await bundle.close();
  await rename(join(CACHE, part), path);
  return path;
}
