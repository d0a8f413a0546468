import { seededRandom } from '../../test/support/seeded-random.ts';

/** Steps of simulated time, in ms. */
const STEP = 10;
/** Without an answer by then the proxy before it gives up, and the reader comes back, in ms. */
const GIVES_UP = 60_000;
/** In ms of simulated time: a storm that is not over by then feeds itself. */
const ENDLESS = 600_000;

export interface Storm {
  /** Subscribers that come to one replica. */
  readonly arrivals: number;
  /** CPU that each of them costs, in µs. */
  readonly cost: number;
  /** Share of a core that is free for it. */
  readonly free: number;
  /** SLUICE_RETRY, in ms; each waits for 0.5 to 1.5 times that. */
  readonly retry: number;
  readonly seed: number;
}

export interface StormResult {
  /** Until the last is served, in s; Infinity when that never ends. */
  readonly over: number;
  /** The longest anyone waited for a head, after arriving, in s. */
  readonly longestWait: number;
  /** Times that somebody gave up and came again. */
  readonly repeated: number;
}

/**
 * One replica in a storm, step by step: who arrives waits in line, is served as CPU allows, and gives up and comes back when
 * it takes too long. What was begun for one who has left is wasted.
 */
export function simulateStorm({ arrivals, cost, free, retry, seed }: Storm): StormResult {
  const random = seededRandom(seed);
  const steps = ENDLESS / STEP;
  const coming = new Int32Array(steps + 1);
  const come = (at: number): void => {
    const step = Math.min(steps, Math.floor((at + retry * (0.5 + random())) / STEP));
    coming[step] = (coming[step] ?? 0) + 1;
  };
  for (let i = 0; i < arrivals; i++) come(0);

  /** Who stands in line, by the step in which they came. */
  const line = new Int32Array(steps + 1);
  let head = 0;
  let oldest = 0;
  let inLine = 0;
  let credit = 0;
  let served = 0;
  let repeated = 0;
  let longest = 0;
  for (let step = 0; step < steps; step++) {
    line[step] = coming[step] ?? 0;
    inLine += line[step] ?? 0;
    for (; (step - oldest) * STEP > GIVES_UP; oldest++) {
      for (let left = oldest < head ? 0 : (line[oldest] ?? 0); left > 0; left--) {
        repeated++;
        come(step * STEP);
      }
    }
    credit = Math.min(credit + (STEP * 1_000 * free) / cost, inLine + 1);
    while (credit >= 1 && inLine > 0) {
      while ((line[head] ?? 0) === 0) head++;
      line[head] = (line[head] ?? 1) - 1;
      inLine--;
      credit--;
      const wait = (step - head) * STEP;
      // Whoever has given up is in line all the same until the server finds out.
      if (wait > GIVES_UP) continue;
      longest = Math.max(longest, wait);
      served++;
    }
    if (served === arrivals) return { over: (step * STEP) / 1_000, longestWait: longest / 1_000, repeated };
  }
  return { over: Infinity, longestWait: Infinity, repeated };
}
