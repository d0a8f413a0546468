import { readFile, writeFile } from 'node:fs/promises';

/** The most resident memory of processes since a moment, as the kernel counts it. Only Linux counts. */
export class MemoryPeak {
  readonly #pids: readonly number[];
  readonly #before: number;

  private constructor(pids: readonly number[], before: number) {
    this.#pids = pids;
    this.#before = before;
  }

  /** Begins at the memory of now: 5 resets the peak (proc(5), clear_refs). */
  static async of(pids: readonly number[]): Promise<MemoryPeak> {
    try {
      await Promise.all(pids.map(async (pid) => await writeFile(`/proc/${pid}/clear_refs`, '5')));
      return new MemoryPeak(pids, await peakOf(pids));
    } catch {
      return new MemoryPeak(pids, Number.NaN);
    }
  }

  /** How far the peak is above the memory at the beginning, in KiB. Undefined where it cannot be known. */
  async more(): Promise<number | undefined> {
    if (Number.isNaN(this.#before)) return undefined;
    const more = (await peakOf(this.#pids)) - this.#before;
    return Number.isNaN(more) ? undefined : more;
  }
}

/** The sum of the processes' peaks, in KiB. NaN when one of them has ended. */
async function peakOf(pids: readonly number[]): Promise<number> {
  const each = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
    }),
  );
  return each.reduce((sum, peak) => sum + peak, 0);
}
