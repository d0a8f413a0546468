import type { Rate } from './rate.ts';

/** How many addresses are remembered. Beyond that, the address with the oldest last failure is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Failures {
  count: number;
  /** Monotonic, in ms: when the window began. */
  since: number;
}

/**
 * Counts wrong credentials by address. A window starts with the first failure of an address. The counts belong to this process
 * alone, and each failure costs O(1), so that a storm of wrong credentials stays cheap.
 *
 * Never use it to refuse a credential that is cheap to check. Ask it only before an expensive check, or to choose between two
 * refusals.
 */
export class FailedAttempts {
  readonly #rate: Rate;
  readonly #now: () => number;
  /** Ordered by the latest failure. */
  readonly #byAddress = new Map<string, Failures>();

  constructor(rate: Rate, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
  }

  /** Whether the address has reached the limit in its current window. */
  blocked(address: string): boolean {
    const failures = this.#byAddress.get(address);
    return failures !== undefined && failures.count >= this.#rate.limit && this.#left(failures) > 0;
  }

  /** Counts a failure. Do not call it while {@link blocked} returns true. */
  failed(address: string): void {
    if (this.#rate.limit === Infinity) return;
    const known = this.#byAddress.get(address);
    const failures = known === undefined || this.#left(known) <= 0 ? { count: 0, since: this.#now() } : known;
    failures.count++;
    this.#byAddress.delete(address);
    this.#byAddress.set(address, failures);
    if (this.#byAddress.size <= MAX_ADDRESSES) return;
    const [longestAgo] = this.#byAddress.keys();
    if (longestAgo !== undefined) this.#byAddress.delete(longestAgo);
  }

  /** Seconds, rounded up, until the window of the address ends. 0 when it has ended. */
  retryAfter(address: string): number {
    const failures = this.#byAddress.get(address);
    return failures === undefined ? 0 : Math.max(0, Math.ceil(this.#left(failures) / 1_000));
  }

  #left({ since }: Failures): number {
    return since + this.#rate.window - this.#now();
  }
}
