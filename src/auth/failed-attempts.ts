import type { Rate } from '../core/rate.ts';

/** Addresses that are remembered at once; of more, those whose last failure is longest ago are forgotten. */
const MOST_ADDRESSES = 10_000;

interface Failures {
  count: number;
  since: number;
}

/**
 * Credentials that were refused, counted by address in windows that begin with a first failure. In this process alone,
 * and at a small cost that is the same for each, so that a storm of wrong credentials stays cheap.
 *
 * It never stands in the way of a right one that can be told cheaply: ask it only where checking would cost, or
 * which of two refusals to give.
 */
export class FailedAttempts {
  readonly #rate: Rate;
  readonly #now: () => number;
  /** In the order of the latest failure. */
  readonly #byAddress = new Map<string, Failures>();

  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** True when as many have failed in this window as may. */
  blocked(address: string): boolean {
    const failures = this.#byAddress.get(address);
    return failures !== undefined && failures.count >= this.#rate.limit && this.#left(failures) > 0;
  }

  /** Counts one. To be called for what is refused while {@link blocked} says no. */
  failed(address: string): void {
    if (this.#rate.limit === Infinity) return;
    const known = this.#byAddress.get(address);
    const failures = known === undefined || this.#left(known) <= 0 ? { count: 0, since: this.#now() } : known;
    failures.count++;
    this.#byAddress.delete(address);
    this.#byAddress.set(address, failures);
    if (this.#byAddress.size <= MOST_ADDRESSES) return;
    const [longestAgo] = this.#byAddress.keys();
    if (longestAgo !== undefined) this.#byAddress.delete(longestAgo);
  }

  /** Whole seconds after which the address may fail again; 0 when it may now. */
  retryAfter(address: string): number {
    const failures = this.#byAddress.get(address);
    return failures === undefined ? 0 : Math.max(0, Math.ceil(this.#left(failures) / 1_000));
  }

  #left({ since }: Failures): number {
    return since + this.#rate.window - this.#now();
  }
}
