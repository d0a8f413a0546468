import type { TokenAccess } from './access.ts';
import type { UntimelyToken } from './untimely-token.ts';

/** How long a verdict stands, in ms: a key may be taken away, and a clock put right. */
const BELIEVED = 60_000;
const MAX_VERIFIED = 10_000;
const MAX_UNTIMELY = 1_000;

interface Entry<V> {
  readonly verdict: V;
  /** By the monotonic clock: one that is put back must not make a verdict stand for longer. */
  readonly until: number;
}

/** What was found out about tokens a short while ago, by a digest of each: those used last, and not too many. */
export class RememberedVerdicts<V> {
  readonly #most: number;
  readonly #endOf: (verdict: V) => number;
  readonly #entries = new Map<string, Entry<V>>();

  /** @param endOf when a verdict is over, in epoch ms: wall time, because whoever signed the token meant that */
  constructor(most: number, endOf: (verdict: V) => number) {
    this.#most = most;
    this.#endOf = endOf;
  }

  get(digest: string): V | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    if (entry.until <= performance.now() || this.#endOf(entry.verdict) <= Date.now()) return undefined;
    // The map's order is that of use.
    this.#entries.set(digest, entry);
    return entry.verdict;
  }

  set(digest: string, verdict: V): void {
    this.#entries.set(digest, { verdict, until: performance.now() + BELIEVED });
    if (this.#entries.size <= this.#most) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

/** Tokens that were found good. */
export function verifiedTokens(): RememberedVerdicts<TokenAccess> {
  return new RememberedVerdicts(MAX_VERIFIED, ({ expiresAt }) => expiresAt);
}

/**
 * Tokens that were found expired, or not valid yet. Some clients send an expired token every two seconds for ever, and nothing
 * counts them: their signature is verified once a minute, not each time. Apart from the good tokens, so that no number of expired
 * ones makes a good one forgotten.
 */
export function untimelyTokens(): RememberedVerdicts<UntimelyToken> {
  return new RememberedVerdicts(MAX_UNTIMELY, ({ from }) => from);
}
