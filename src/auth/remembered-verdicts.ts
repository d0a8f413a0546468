import type { TokenAccess } from './access.ts';
import type { UntimelyToken } from './token-errors.ts';

/** How long a verdict is kept. It is short, because a key may be removed and a wrong clock may be corrected. */
const MAX_AGE_MS = 60_000;
const MAX_VERIFIED = 10_000;
const MAX_UNTIMELY = 1_000;

interface Entry<V> {
  readonly verdict: V;
  /** Monotonic, in ms. A wall clock that is set back would keep a verdict for too long. */
  readonly until: number;
}

/** Remembers recent verdicts on tokens, by the digest of the token. A least-recently-used cache of limited size. */
export class RememberedVerdicts<V> {
  readonly #maxEntries: number;
  readonly #endOf: (verdict: V) => number;
  readonly #entries = new Map<string, Entry<V>>();

  /** @param endOf returns when a verdict ends, in epoch ms (wall time, as the signer of the token meant it) */
  constructor(maxEntries: number, endOf: (verdict: V) => number) {
    this.#maxEntries = maxEntries;
    this.#endOf = endOf;
  }

  get(digest: string): V | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    if (entry.until <= performance.now() || this.#endOf(entry.verdict) <= Date.now()) return undefined;
    // Moves the entry to the end: the map is ordered by last use.
    this.#entries.set(digest, entry);
    return entry.verdict;
  }

  set(digest: string, verdict: V): void {
    this.#entries.set(digest, { verdict, until: performance.now() + MAX_AGE_MS });
    if (this.#entries.size <= this.#maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** Remembers valid tokens. */
export function verifiedTokens(): RememberedVerdicts<TokenAccess> {
  return new RememberedVerdicts(MAX_VERIFIED, ({ expiresAt }) => expiresAt);
}

/**
 * Remembers tokens that are expired or not yet valid. Some clients send an expired token every two seconds forever, and these
 * are not counted as failures. With this cache, the broker verifies their signature once a minute. The cache is separate, so
 * that expired tokens cannot push out valid ones.
 */
export function untimelyTokens(): RememberedVerdicts<UntimelyToken> {
  return new RememberedVerdicts(MAX_UNTIMELY, ({ from }) => from);
}
