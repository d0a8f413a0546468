import { revocationKey, revocationOf } from './revocation.ts';
import type { Revocation } from './revocation.ts';

export interface RevocationListOptions {
  /** How long a revocation counts, in ms. */
  readonly ttl: number;
  /** Epoch ms; for tests. */
  readonly wallClock?: () => number;
  /** Monotonic, in ms; for tests. */
  readonly clock?: () => number;
}

interface Entry {
  readonly until: number;
  /** When it counts no more, by the monotonic clock. */
  readonly end: number;
}

/**
 * Revocations, one for each target, each for its time. What they refuse goes by wall time, which is what a token's `iat`
 * is. How long they are kept goes by the monotonic clock from when they came, or a clock that is put forward would forget
 * them all, and let everybody in again once it is put right.
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

  /** Those that {@link sweep} has not forgotten. */
  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Up to when tokens are refused for this target; undefined where none are. */
  until(key: string): number | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.end > this.#clock() ? entry.until : undefined;
  }

  /** Keeps one whose age is told by its time alone. False when it has expired, or a later one is kept already. */
  add(revocation: Revocation): boolean {
    // By wall time, for there is no other here; a clock that is wrong does not make it more than a whole time.
    return this.#keep(revocation, Math.min(this.#ttl, revocation.until + this.#ttl - this.#wallClock()));
  }

  /** Keeps one that is made just now, whatever the clocks say. False when a later one is kept already. */
  addNew(revocation: Revocation): boolean {
    return this.#keep(revocation, this.#ttl);
  }

  /** Forgets the one that was kept first. */
  dropFirst(): void {
    const [first] = this.#entries.keys();
    if (first !== undefined) this.#entries.delete(first);
  }

  /** Those in force. */
  *all(): Iterable<Revocation> {
    const now = this.#clock();
    for (const [key, { until, end }] of this.#entries) {
      if (end > now) yield revocationOf(key, until);
    }
  }

  /** Forgets those that count no more. */
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
