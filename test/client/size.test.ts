import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '../../client/src');
const LIMIT_BYTES = 3_900;

async function sizeOf(input: string, external: RegExp): Promise<number> {
  const bundle = await rolldown({ input, platform: 'browser', external });
  const { output } = await bundle.generate({ format: 'esm', minify: true });
  await bundle.close();
  return gzipSync(output[0].code, { level: 9 }).length;
}

test('the client is small: minified and gzipped', async () => {
  // Loaded only by pages that share. A real build has what both use in one of them.
  const bytes = await sizeOf(join(SOURCES, 'index.ts'), /shared-connection/);
  const shared = await sizeOf(
    join(SOURCES, 'shared-connection.ts'),
    /\/(connection|page-events|channel-subscription)\.ts$/,
  );
  console.log(`the client takes ${bytes} bytes, and ${shared} more where tabs share`);
  expect(bytes).toBeLessThan(LIMIT_BYTES);
});
