import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const LOAD = new URL('memory-log-load.ts', import.meta.url).pathname;
/** Resident memory above the process' own, as a multiple of what the log may hold. */
const BOUND = 1.3;

interface Outcome {
  readonly bound: number;
  readonly own: number;
  readonly resident: number;
  readonly held: number;
}

// Each load is several times what the log may hold. Whoever lets one slip past should see at once which.
test.each(['mixture', 'tiny', 'channels', 'middle', 'large', 'keys', 'text', 'churn'])(
  'SLUICE_MEMORY_BYTES holds for resident memory: %s',
  async (load) => {
    // A small young generation, the same from start to end: how large V8 makes it is not what is measured here.
    const { stdout } = await run(process.execPath, ['--max-semi-space-size=4', LOAD, load]);
    const { bound, own, resident, held } = JSON.parse(stdout) as Outcome;
    expect(held).toBeLessThanOrEqual(bound);
    expect((resident - own) / bound).toBeLessThan(BOUND);
    // The memory is there to be used; the mixture is bounded by the size of its channels instead.
    if (load !== 'mixture') expect(held).toBeGreaterThan(bound * 0.9);
  },
);
