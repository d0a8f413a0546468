import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Here it takes 3 to 15 ms; a slow machine with much else to do takes four times that. Building values took 80 to 400 ms here. */
const MOST = 60;

test('to read 1 MiB of JSON takes little time, whatever is in it', async () => {
  const script = join(import.meta.dirname, 'json-cost.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const costs = Object.entries(JSON.parse(stdout) as Record<string, number>);
  expect(costs).toHaveLength(18);
  expect(costs.filter(([, ms]) => !(ms <= MOST))).toEqual([]);
});
