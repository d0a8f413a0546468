import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const INDEX = join(import.meta.dirname, '../../client/src/index.ts');
const LIMIT_BYTES = 3_900;

test('the client is small: minified and gzipped', async () => {
  const bundle = await rolldown({ input: INDEX, platform: 'browser' });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  const bytes = gzipSync(output[0].code, { level: 9 }).length;
  console.log(`the client takes ${bytes} bytes`);
  expect(bytes).toBeLessThan(LIMIT_BYTES);
});
