import { hash } from 'node:crypto';
import type { TokenAccess } from './access.ts';

const MAX_TOKENS = 10_000;
/** A key may be taken away; so long, in ms, a token that it has signed is still believed. */
const BELIEVED = 60_000;

interface Entry {
  readonly access: TokenAccess;
  /** By the monotonic clock: one that is put back must not make a token believed for longer. */
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
    // Its own end is wall time, because whoever signed it meant that.
    if (entry.until <= performance.now() || entry.access.expiresAt <= Date.now()) return undefined;
    // The map's order is that of use.
    this.#entries.set(digest, entry);
    return entry.access;
  }

  set(token: string, access: TokenAccess): void {
    this.#entries.set(hash('sha256', token, 'base64url'), { access, until: performance.now() + BELIEVED });
    if (this.#entries.size <= MAX_TOKENS) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
