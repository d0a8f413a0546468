import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/**
 * In ms. Here it takes 3 to 15 ms, and four times that on a slow, busy machine. Building values took 80 to 400 ms here.
 */
const MOST = 60;

test('reading 1 MiB of JSON takes little time, for any content', async () => {
  const script = join(import.meta.dirname, 'json-cost.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const costs = Object.entries(JSON.parse(stdout) as Record<string, number>);
  expect(costs).toHaveLength(18);
  expect(costs.filter(([, ms]) => !(ms <= MOST))).toEqual([]);
});
