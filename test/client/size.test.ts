import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const INDEX = join(import.meta.dirname, '../../client/src/index.ts');
const LIMIT_BYTES = 3_072;

/** Returns the bytes that a page loads for `export … from '@sluice/client'`, minified and gzipped. */
async function sizeOf(what: string): Promise<number> {
  const page = `export ${what} from ${JSON.stringify(INDEX)}`;
  const bundle = await rolldown({
    input: 'page',
    platform: 'browser',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? id : undefined),
        load: (id) => (id === 'page' ? page : undefined),
      },
    ],
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true, comments: false });
  await bundle.close();
  return gzipSync(output[0].code, { level: 9 }).length;
}

test('the client is small: minified and gzipped', async () => {
  const bytes = await sizeOf('{ connect }');
  for (const part of ['iterate', 'keepPositions', 'shareTabs'])
    console.log(`${part} adds ${(await sizeOf(`{ connect, ${part} }`)) - bytes} bytes`);
  console.log(`connect takes ${bytes} bytes, and all parts together ${await sizeOf('*')}`);
  expect(bytes).toBeLessThan(LIMIT_BYTES);
});
