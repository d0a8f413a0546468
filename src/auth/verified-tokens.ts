import { hash } from 'node:crypto';
import type { TokenAccess } from './access.ts';

const MAX_TOKENS = 10_000;
/** A key may be taken away; so long, in ms, a token that it has signed is still believed. */
const BELIEVED = 60_000;

interface Entry {
  readonly access: TokenAccess;
  readonly until: number;
}

/** Tokens that were found good a short while ago, by a digest: those used last, and not too many. */
export class VerifiedTokens {
  readonly #entries = new Map<string, Entry>();

  get(token: string): TokenAccess | undefined {
    const digest = hash('sha256', token, 'base64url');
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    if (entry.until <= Date.now()) return undefined;
    // The map's order is that of use.
    this.#entries.set(digest, entry);
    return entry.access;
  }

  set(token: string, access: TokenAccess): void {
    const until = Math.min(access.expiresAt, Date.now() + BELIEVED);
    this.#entries.set(hash('sha256', token, 'base64url'), { access, until });
    if (this.#entries.size <= MAX_TOKENS) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
