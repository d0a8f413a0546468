import { hash } from 'node:crypto';
import type { UntimelyToken } from './untimely-token.ts';

const MAX_TOKENS = 1_000;
/** A clock may be put right, and a key taken away; so long, in ms, a verdict stands. */
const BELIEVED = 60_000;

interface Entry {
  readonly token: UntimelyToken;
  /** By the monotonic clock. */
  readonly until: number;
}

/**
 * Tokens that were found expired, or not valid yet, a short while ago, by a digest. Some clients send an expired token
 * every two seconds for ever, and nothing counts them: their signature is verified once a minute, not each time. Apart
 * from the good tokens, so that no number of expired ones makes a good one forgotten.
 */
export class UntimelyTokens {
  readonly #entries = new Map<string, Entry>();

  get(token: string): UntimelyToken | undefined {
    if (this.#entries.size === 0) return undefined;
    const digest = hash('sha256', token, 'base64url');
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    if (entry.until <= performance.now() || entry.token.from <= Date.now()) return undefined;
    // The map's order is that of use.
    this.#entries.set(digest, entry);
    return entry.token;
  }

  set(token: string, untimely: UntimelyToken): void {
    const digest = hash('sha256', token, 'base64url');
    this.#entries.set(digest, { token: untimely, until: performance.now() + BELIEVED });
    if (this.#entries.size <= MAX_TOKENS) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
