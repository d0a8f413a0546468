import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const LOAD = new URL('memory-log-load.ts', import.meta.url).pathname;
/** The most resident memory beyond the process' own, as a multiple of the log's limit. */
const BOUND = 1.3;

interface Outcome {
  readonly bound: number;
  readonly own: number;
  readonly resident: number;
  readonly held: number;
}

// Each load is several times the log's limit. The test's name says which load failed.
test.each(['mixture', 'tiny', 'channels', 'middle', 'large', 'keys', 'states', 'text', 'churn'])(
  'SLUICE_MEMORY_BYTES holds for resident memory: %s',
  async (load) => {
    // A small young generation of fixed size: V8's growth of it is not measured here.
    const { stdout } = await run(process.execPath, ['--max-semi-space-size=4', LOAD, load]);
    const { bound, own, resident, held } = JSON.parse(stdout) as Outcome;
    expect(held).toBeLessThanOrEqual(bound);
    expect((resident - own) / bound).toBeLessThan(BOUND);
    // Every other load fills the memory. The mixture is bounded by the size of its channels instead.
    if (load !== 'mixture') expect(held).toBeGreaterThan(bound * 0.9);
  },
);
