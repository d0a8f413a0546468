import { setTimeout as delay } from 'node:timers/promises';
import type { TokenReason } from './types.ts';

export type GetToken = (reason: TokenReason) => string | Promise<string>;

/** How long `getToken` may take. */
const TOKEN_TIMEOUT_MS = 10_000;
/** A token is renewed when this part of its lifetime has passed. */
const RENEWAL_SHARE = 0.8;

/** A publish key, or a token that is renewed before it expires and after it was refused. */
export class PublisherCredential {
  readonly #getToken: GetToken | undefined;
  #current: string | undefined;
  /** When to renew the token, in ms of `performance.now()`. */
  #renewAt = Infinity;
  #reason: TokenReason = 'start';
  #asking: Promise<string> | undefined;

  constructor(source: string | GetToken) {
    if (typeof source === 'string') this.#current = source;
    else this.#getToken = source;
  }

  /** Returns the credential to send. @throws what `getToken` throws */
  async get(): Promise<string> {
    if (this.#current !== undefined && performance.now() < this.#renewAt) return this.#current;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  /** The broker has refused the credential. Returns whether there may be another one. */
  refused(credential: string): boolean {
    if (this.#getToken === undefined) return false;
    if (this.#current === credential) {
      this.#current = undefined;
      this.#reason = 'refused';
    }
    return true;
  }

  async #ask(): Promise<string> {
    const reason = this.#current === undefined ? this.#reason : 'expiring';
    const limit = new AbortController();
    try {
      const token = await Promise.race([
        this.#getToken?.(reason),
        delay(TOKEN_TIMEOUT_MS, undefined, { signal: limit.signal }),
      ]);
      if (typeof token !== 'string')
        throw new TypeError(`getToken gave no string within ${TOKEN_TIMEOUT_MS / 1_000} s.`);
      this.#current = token;
      this.#renewAt = performance.now() + RENEWAL_SHARE * lifetimeOf(token);
      return token;
    } finally {
      limit.abort();
    }
  }
}

/** The lifetime of a JWT in ms; Infinity when the token does not say it. Needs no clock: the local one may be wrong. */
function lifetimeOf(token: string): number {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
    const { exp, iat } = JSON.parse(payload) as { exp?: number; iat?: number };
    const seconds = Number(exp) - Number(iat);
    return seconds > 0 ? seconds * 1_000 : Infinity;
  } catch {
    return Infinity;
  }
}
