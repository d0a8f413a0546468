import { seededRandom } from '../../test/support/seeded-random.ts';

/** The step of simulated time, in ms. */
const STEP = 10;
/** In ms: without an answer for this long, the proxy in front gives up and the client reconnects. */
const GIVES_UP = 60_000;
/** In ms of simulated time: a storm that is not over by then keeps itself going. */
const ENDLESS = 600_000;

export interface Storm {
  /** How many subscribers come to one replica. */
  readonly arrivals: number;
  /** The CPU for each subscriber, in µs. */
  readonly cost: number;
  /** The share of a core that is free for the storm. */
  readonly free: number;
  /** SLUICE_RETRY, in ms. Each subscriber waits for 0.5 to 1.5 times this. */
  readonly retry: number;
  readonly seed: number;
}

export interface StormResult {
  /** When the last subscriber is served, in s. Infinity when the storm never ends. */
  readonly over: number;
  /** The longest wait from arriving to the head of the answer, in s. */
  readonly longestWait: number;
  /** How often a subscriber gave up and came again. */
  readonly repeated: number;
}

/**
 * Simulates one replica in a storm, step by step. Subscribers wait in a queue and are served as the CPU allows. A subscriber that
 * waits too long gives up and comes back, and the work for it is wasted.
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

  /** The queue: how many subscribers arrived in each step. */
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
      // A subscriber that gave up stays in the queue until the server notices.
      if (wait > GIVES_UP) continue;
      longest = Math.max(longest, wait);
      served++;
    }
    if (served === arrivals) return { over: (step * STEP) / 1_000, longestWait: longest / 1_000, repeated };
  }
  return { over: Infinity, longestWait: Infinity, repeated };
}
