import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/**
 * A share of what `JSON.parse` takes for all kinds of data together, which is 70 ms on a quick machine and 300 on a slow one. The
 * kinds take 0.02 to 0.15 of it. Building values took more than 1.
 */
const MOST = 0.3;

test('reading 1 MiB of JSON takes little time, for any content', async () => {
  const script = join(import.meta.dirname, 'json-cost.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const { costs, parsed } = JSON.parse(stdout) as { costs: Record<string, number>; parsed: number };
  const kinds = Object.entries(costs);
  expect(kinds).toHaveLength(18);
  expect(kinds.filter(([, ms]) => !(ms <= MOST * parsed))).toEqual([]);
});
