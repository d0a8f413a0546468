import { revocationKey, revocationOf } from './revocation.ts';
import type { Revocation } from './revocation.ts';

export interface RevocationListOptions {
  /** How long a revocation is in force, in ms. */
  readonly ttl: number;
  /** Returns epoch ms. Only tests set it. */
  readonly wallClock?: () => number;
  /** Returns the ms of a monotonic clock. Only tests set it. */
  readonly clock?: () => number;
}

interface Entry {
  readonly until: number;
  /** When the revocation expires, by the monotonic clock. */
  readonly end: number;
}

/**
 * Revocations, at most one for each target. A revocation's `until` is wall time, because it is compared with a token's
 * `iat`. The expiry of a revocation goes by the monotonic clock: otherwise a wall clock that is set forward would expire all
 * revocations, and revoked tokens would be accepted once the clock is right again.
 */
export class RevocationList {
  readonly #ttl: number;
  readonly #wallClock: () => number;
  readonly #clock: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor({ ttl, wallClock = Date.now, clock = () => performance.now() }: RevocationListOptions) {
    this.#ttl = ttl;
    this.#wallClock = wallClock;
    this.#clock = clock;
  }

  /** Counts expired revocations until {@link sweep} removes them. */
  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Tokens for this target issued up to this time are refused, in epoch ms. Undefined when there is no revocation. */
  until(key: string): number | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.end > this.#clock() ? entry.until : undefined;
  }

  /**
   * Adds a revocation of unknown age; its `until` says when it was made. Returns false when the revocation has expired, or
   * the list has a later one for the target.
   */
  add(revocation: Revocation): boolean {
    // By the wall clock, the only clock that replicas share. A wrong wall clock cannot make the time longer than the ttl.
    return this.#keep(revocation, Math.min(this.#ttl, revocation.until + this.#ttl - this.#wallClock()));
  }

  /** Adds a revocation that is made now, for the whole ttl. Returns false when the list has a later one for the target. */
  addNew(revocation: Revocation): boolean {
    return this.#keep(revocation, this.#ttl);
  }

  /** Removes the revocation that was added first. */
  dropFirst(): void {
    const [first] = this.#entries.keys();
    if (first !== undefined) this.#entries.delete(first);
  }

  /** The revocations in force. */
  *all(): Iterable<Revocation> {
    const now = this.#clock();
    for (const [key, { until, end }] of this.#entries) {
      if (end > now) yield revocationOf(key, until);
    }
  }

  /** Removes expired revocations. */
  sweep(): void {
    const now = this.#clock();
    for (const [key, { end }] of this.#entries) {
      if (end <= now) this.#entries.delete(key);
    }
  }

  #keep(revocation: Revocation, left: number): boolean {
    const key = revocationKey(revocation);
    const known = this.#entries.get(key);
    if (left <= 0 || (known !== undefined && known.until >= revocation.until)) return false;
    const end = Math.max(this.#clock() + left, known?.end ?? 0);
    this.#entries.set(key, { until: revocation.until, end });
    return true;
  }
}
