/** What something costs for some input and for eight times as much. */
export interface Growth {
  /** Milliseconds. */
  readonly small: number;
  readonly large: number;
}

const FACTOR = 8;
/** Three times what is linear, and a third of what is quadratic. */
const MOST = 3 * FACTOR;
/** Nothing may hold the event loop for longer than some such time, in ms; what is shorter does no harm however it grows. */
const HARMLESS = 10;

/** Runs `work` with an eighth of the size and with the size. */
export function growth(work: (size: number) => void, size: number): Growth {
  return { small: cost(() => work(Math.floor(size / FACTOR))), large: cost(() => work(size)) };
}

export function isLinear({ small, large }: Growth): boolean {
  return large <= MOST * small + HARMLESS;
}

const TIMES = 5;
/** The system counts a thread's CPU time in steps of so many ms at the most. */
const STEP = 4;

/**
 * The least of several times, in ms. By the clock, which is exact, or in CPU time, which does not count what others have
 * done on a busy machine, whichever is less.
 */
export function cost(work: () => void): number {
  let least = Infinity;
  for (let i = 0; i < TIMES; i++) {
    const begin = performance.now();
    const start = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(start);
    least = Math.min(least, performance.now() - begin, (user + system) / 1_000 + STEP);
    // What takes a second is not asked again.
    if (least > 1_000) break;
  }
  return least;
}
