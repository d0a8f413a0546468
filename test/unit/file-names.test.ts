import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** Names for a kind of code instead of an idea. Such files grow without end. */
const vague = new Set(['utils', 'util', 'helpers', 'helper', 'types', 'index', 'common', 'misc']);

test('no file or folder has a vague name', async () => {
  const paths = await Promise.all(
    ['src', 'test'].map(async (folder) => await readdir(join(root, folder), { recursive: true })),
  );
  const offending = paths
    .flat()
    .filter((path) => !path.endsWith('.html') && vague.has(basename(path).split('.', 1).join('')));
  expect(offending).toEqual([]);
});
