import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit';
import type { RateCounter } from '../core/rate.ts';

/** How long a publish waits to be counted, in ms: with the log's own time-out behind it, it stays within its second. */
const PATIENCE = 150;
/** For how long nobody is counted once that was in vain, in ms: a Redis that hangs is not asked for each publish. */
const PAUSE = 1_000;

type Counted = (error: Error | null, result?: { current: number; ttl: number }) => void;

/**
 * A store for @fastify/rate-limit that counts for all replicas together. When it cannot, it lets everybody through and says
 * so: a limit is no reason to refuse what would have been right.
 */
export function sharedRateStore(counter: RateCounter, onUncounted: () => void): FastifyRateLimitStoreCtor {
  let pausedUntil = 0;

  const count = async (name: string, window: number): Promise<{ current: number; ttl: number }> => {
    if (performance.now() >= pausedUntil) {
      try {
        const { count: current, left } = await within(PATIENCE, counter.hit(name, window));
        return { current, ttl: left };
      } catch {
        pausedUntil = performance.now() + PAUSE;
      }
    }
    onUncounted();
    return { current: 0, ttl: 0 };
  };

  return class SharedRateStore implements FastifyRateLimitStore {
    incr(name: string, done: Counted, window: number): void {
      void this.#answer(name, done, window);
    }

    child(): FastifyRateLimitStore {
      return this;
    }

    async #answer(name: string, done: Counted, window: number): Promise<void> {
      done(null, await count(name, window));
    }
  };
}

/** @throws Error when it takes longer than so many ms */
async function within<T>(patience: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  // One look at the sockets first: it may be this process that was late, with the answer already there.
  const timer = setTimeout(() => setImmediate(() => reject(new Error('not counted in time'))), patience);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    // Whichever comes second is of no interest any more.
    promise.catch(() => undefined);
    late.catch(() => undefined);
  }
}
