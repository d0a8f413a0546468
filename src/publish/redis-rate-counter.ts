import type { RateCount, RateCounter } from '../auth/rate.ts';
import type { RedisClient } from '../redis/redis-client.ts';

const WORDS = {
  nothingDone: 'Nothing was counted.',
  next: 'Try again.',
  unknown: 'The request may have been counted.',
};

/** Counts for all replicas together. Each name has a key in Redis that expires at the end of the name's window. */
export class RedisRateCounter implements RateCounter {
  readonly #client: RedisClient;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  async count(name: string, window: number, hits = 1): Promise<RateCount> {
    const { keys } = this.#client;
    const reply = await this.#client.run('count', [keys.rate(name)], [window, hits], WORDS);
    const [count, left] = reply as [number, number];
    return { count, left };
  }
}
