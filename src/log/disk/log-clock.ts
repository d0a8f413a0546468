import type { Database } from './database.ts';

/** How often the clock's time is stored, in ms. */
const STORE_EVERY_MS = 10_000;

/**
 * The clock for the ages of events. Its time is near epoch ms, so that it goes on after a restart, and it never goes back: when a
 * wall clock is set back, events would be kept longer, and when it is set forward, idempotency keys would be forgotten.
 */
export class LogClock {
  /** Returns epoch ms, for ids: `?since=` means wall time. */
  readonly wall: () => number;
  readonly #steady: () => number;
  readonly #database: Database;
  /** The log's time minus the time of the steady clock. */
  readonly #ahead: number;
  #stored: number;

  constructor(
    database: Database,
    {
      wallClock = Date.now,
      steadyClock = () => performance.now(),
    }: { readonly wallClock?: (() => number) | undefined; readonly steadyClock?: (() => number) | undefined },
  ) {
    this.wall = wallClock;
    this.#steady = steadyClock;
    this.#database = database;
    this.#stored = database.meta('clock') ?? 0;
    this.#ahead = Math.max(wallClock(), this.#stored) - steadyClock();
  }

  /** Whole ms. */
  now(): number {
    return Math.floor(this.#steady() + this.#ahead);
  }

  /**
   * Stores the time now and then. To be called in each transaction that writes times.
   * @param always whether it is stored in any case
   */
  store(now: number, always = false): void {
    if (!always && now - this.#stored < STORE_EVERY_MS) return;
    this.#database.setMeta('clock', now);
    this.#stored = now;
  }
}
