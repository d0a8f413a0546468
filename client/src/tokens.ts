import type { ConnectOptions, TokenReason } from './types.ts';

/** How long `getToken` may take, in ms. */
const PATIENCE_MS = 10_000;
/** Timers of more than 2^31 ms fire at once. */
const MAX_TIMER_MS = 2_000_000_000;

/** The subscriber's token: gets it, renews it before it expires, and replaces it when the broker refused it. */
export class Tokens {
  /** The open streams. Each is called when there is a new token. */
  readonly streams = new Set<() => void>();
  readonly #getToken: ConnectOptions['getToken'];
  #token: string | undefined;
  #refused: string | undefined;
  #asking: Promise<string> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(getToken: ConnectOptions['getToken']) {
    this.#getToken = getToken;
  }

  /** Returns undefined when there is no `getToken`. Rejects when it fails: ask again later. */
  async get(): Promise<string | undefined> {
    if (!this.#getToken) return undefined;
    return this.#token ?? (await this.#ask(this.#refused === undefined ? 'start' : 'refused'));
  }

  /** The broker refused the token, or it expired. Returns whether there may be another one. */
  refuse(token: string | undefined): boolean {
    if (token === this.#token) this.#token = undefined;
    this.#refused = token;
    return this.#getToken !== undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.streams.clear();
  }

  async #ask(reason: TokenReason): Promise<string> {
    // All streams wait for the same answer.
    this.#asking ??= this.#answer(reason).finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  async #answer(reason: TokenReason): Promise<string> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const token = await new Promise<string>((resolve, reject) => {
      timer = setTimeout(reject, PATIENCE_MS);
      Promise.resolve(this.#getToken?.(reason) as string).then(resolve, reject);
    }).finally(() => clearTimeout(timer));
    const refused = this.#refused;
    // The same token is tried again after a pause: it may be valid by then.
    this.#refused = undefined;
    if (token === refused) throw new Error('The broker refused this token.');
    this.#renewAfter(lifetime(token) * (token === this.#token ? 0.05 : 0.8));
    this.#token = token;
    return token;
  }

  /** Asks for the next token so many ms from now, if the token has a known lifetime. */
  #renewAfter(ms: number): void {
    clearTimeout(this.#timer);
    if (ms > 0)
      this.#timer = setTimeout(() => void this.#renew(ms), Math.min(Math.max(ms, 1000), MAX_TIMER_MS));
  }

  async #renew(ms: number): Promise<void> {
    const old = this.#token;
    if (this.streams.size === 0) {
      this.#token = undefined;
      return;
    }
    try {
      if ((await this.#ask('expiring')) !== old) for (const renewed of this.streams) renewed();
    } catch {
      this.#renewAfter(ms / 16);
    }
  }
}

/** Returns the lifetime of a token in ms. It counts from now, so the local clock may be wrong. NaN when nobody knows. */
function lifetime(token: string): number {
  try {
    const claims = JSON.parse(
      atob((token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')),
    ) as { exp: number; iat?: number };
    return claims.exp * 1000 - (claims.iat === undefined ? Date.now() : claims.iat * 1000);
  } catch {
    return Number.NaN;
  }
}
