import { hash } from 'node:crypto';
import { BrokerError } from '../events/errors.ts';
import { badToken } from './token-errors.ts';
import { jwkKey } from './token-keys.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';

/** The shortest time between two fetches, however many unknown `kid`s arrive. */
const MIN_FETCH_INTERVAL_MS = 30_000;
/** The same before the first successful fetch. It is shorter, because no token can be verified until then. */
const FIRST_FETCH_INTERVAL_MS = 2_000;
/** How often the set is fetched again. So a key that was removed from the set is soon refused. */
const REFRESH_INTERVAL_MS = 5 * 60_000;
const FETCH_TIMEOUT_MS = 5_000;
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;
/** How many tokens with an unknown `kid` are remembered until the next fetch. */
const MAX_ASKED = 1_000;

export interface JwksOptions {
  readonly url: string;
  /** Called when a fetch failed. The previous keys stay in use. The reason shows nothing of the response body. */
  readonly onFailed: (reason: string) => void;
  /** Monotonic, in ms. */
  readonly now?: () => number;
}

/**
 * Fetches a key set (RFC 7517 §5) from a URL again and again. While a fetch fails, the previous keys stay in use.
 *
 * A token with an unknown `kid` is refused only after a fetch that began after the token had arrived. Until then its key may
 * be a new one: anybody can use up the one fetch in 30 s with an invented `kid`. The class remembers tokens and not `kid`s, so
 * that nobody can make it refuse the `kid` of a future key.
 */
export class Jwks implements TokenKeys {
  readonly #options: JwksOptions;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #closed = new AbortController();
  #keys: ReadonlyMap<string | undefined, TokenKey> | undefined;
  #fetchedAt = -Infinity;
  #fetching: Promise<void> | undefined;
  /** Digests of the tokens with an unknown `kid` that arrived since the last fetch began. */
  #asked = new Set<string>();
  /** Digests of the tokens whose key was missing in the last fetched set. Empty when the last fetch failed. */
  #refused: ReadonlySet<string> = new Set();

  constructor(options: JwksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = setInterval(() => void this.refresh(), REFRESH_INTERVAL_MS);
    this.#timer.unref();
  }

  find(kid: string | undefined, token: string): TokenKey | undefined | Promise<TokenKey | undefined> {
    const known = this.#known(kid);
    if (known !== undefined) return known;
    if (kid === undefined && this.#keys !== undefined && this.#keys.size > 1)
      throw badToken('names no key (kid), and the key set has several keys');
    return this.#findAfterFetch(kid, token);
  }

  /** Fetches the set, unless the last fetch was too recent. Waits for a running fetch. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#fetching === undefined && this.#timeToNextFetch() <= 0) {
      this.#fetchedAt = this.#now();
      this.#fetching = this.#fetch();
    }
    await this.#fetching;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#closed.abort();
  }

  #known(kid: string | undefined): TokenKey | undefined {
    if (kid !== undefined) return this.#keys?.get(kid);
    // A token without `kid` is verified only when the set has exactly one key.
    const [only, ...others] = this.#keys?.values() ?? [];
    return others.length === 0 ? only : undefined;
  }

  /** In ms. */
  #timeToNextFetch(): number {
    const interval = this.#keys === undefined ? FIRST_FETCH_INTERVAL_MS : MIN_FETCH_INTERVAL_MS;
    return this.#fetchedAt + interval - this.#now();
  }

  async #findAfterFetch(kid: string | undefined, token: string): Promise<TokenKey | undefined> {
    const digest = hash('sha256', token, 'base64url');
    if (this.#asked.size < MAX_ASKED) this.#asked.add(digest);
    await this.refresh();
    if (this.#keys === undefined)
      throw new BrokerError(
        'keys-unavailable',
        'The broker cannot fetch the keys for tokens now. Try again.',
      );
    const known = this.#known(kid);
    if (known !== undefined || this.#refused.has(digest)) return known;
    throw new BrokerError(
      'keys-unavailable',
      'The broker does not know the key of this token, and cannot fetch the keys again yet. Try again.',
      { retryAfter: Math.max(1, Math.ceil(this.#timeToNextFetch() / 1_000)) },
    );
  }

  async #fetch(): Promise<void> {
    const asked = this.#asked;
    this.#asked = new Set();
    this.#refused = new Set();
    try {
      const response = await fetch(this.#options.url, {
        headers: { accept: 'application/jwk-set+json, application/json' },
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(FETCH_TIMEOUT_MS), this.#closed.signal]),
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`the status is ${response.status}`);
      }
      this.#keys = readKeys(await boundedText(response));
      this.#refused = asked;
      if (this.#keys.size === 0) this.#options.onFailed('the set has no key that can verify tokens');
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#options.onFailed(reasonOf(error as Error));
    } finally {
      this.#fetching = undefined;
    }
  }
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const body = response.body as AsyncIterable<Uint8Array> | null;
  for await (const chunk of body ?? []) {
    size += chunk.length;
    if (size > MAX_BYTES) throw new Error(`the body is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Accepts an empty set: removing the last key must take effect. */
function readKeys(text: string): ReadonlyMap<string | undefined, TokenKey> {
  const keys = new Map<string | undefined, TokenKey>();
  for (const jwk of readJwks(text)) {
    if (typeof jwk !== 'object' || jwk === null) continue;
    const { kid } = jwk as Record<string, unknown>;
    const key = jwkKey(jwk as Record<string, unknown>);
    if (key !== undefined && (kid === undefined || typeof kid === 'string')) keys.set(kid, key);
  }
  return keys;
}

function readJwks(text: string): readonly unknown[] {
  let keys: unknown;
  try {
    ({ keys } = JSON.parse(text) as { keys: unknown });
  } catch {
    throw new Error('the body is not a JSON object');
  }
  if (!Array.isArray(keys)) throw new Error('the body has no array "keys"');
  if (keys.length > MAX_KEYS) throw new Error(`the set has more than ${MAX_KEYS} keys`);
  return keys as unknown[];
}

/** The message of fetch is only "fetch failed". Its cause has the reason. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
