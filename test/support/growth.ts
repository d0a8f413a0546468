/** The cost of some work for one input, and for an input eight times as long. */
export interface Growth {
  /** In ms. */
  readonly small: number;
  readonly large: number;
}

const FACTOR = 8;
/** The largest ratio that passes: three times linear growth, a third of quadratic growth. */
const MOST = 3 * FACTOR;
/** In ms. Work that holds the event loop for less time does no harm, however it grows. */
const HARMLESS = 10;

/** Measures `work` with an eighth of the size and with the full size. */
export function growth(work: (size: number) => void, size: number): Growth {
  return { small: cost(() => work(Math.floor(size / FACTOR))), large: cost(() => work(size)) };
}

export function isLinear({ small, large }: Growth): boolean {
  return large <= MOST * small + HARMLESS;
}

const TIMES = 5;
/** The kernel counts a thread's CPU time in steps of at most this length, in ms. */
const STEP = 4;

/**
 * Returns the least of several measurements, in ms. Each is the smaller of wall time, which is exact, and CPU time,
 * which leaves out other processes on a busy machine.
 */
export function cost(work: () => void): number {
  let least = Infinity;
  for (let i = 0; i < TIMES; i++) {
    const begin = performance.now();
    const start = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(start);
    least = Math.min(least, performance.now() - begin, (user + system) / 1_000 + STEP);
    // Does not repeat work that takes a second.
    if (least > 1_000) break;
  }
  return least;
}
