import { hash } from 'node:crypto';
import { BrokerError } from '../core/errors.ts';
import { badToken } from './bad-token.ts';
import { jwkKey } from './token-keys.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';

/** Between two fetches there are at least so many ms, whatever tokens ask for. */
const LEAST_INTERVAL = 30_000;
/** The same while there has been no set yet: nobody can come in before. */
const FIRST_INTERVAL = 2_000;
/** The set is fetched anew so often, so that a key that was taken out of it is not good for long. */
const REFRESH = 5 * 60_000;
const TIMEOUT = 5_000;
const MAX_BYTES = 256 * 1024;
const MAX_KEYS = 100;
/** Tokens with an unknown `kid` that are remembered until the next fetch. */
const MAX_ASKED = 1_000;

export interface JwksOptions {
  readonly url: string;
  /** A fetch came to nothing; what was known before stays. In words that hold nothing of an answer's body. */
  readonly onFailed: (reason: string) => void;
  /** Monotonic, in ms. */
  readonly now?: () => number;
}

/**
 * A key set (RFC 7517 §5) at a URL, kept up to date, and kept as it was last while the URL cannot be read.
 *
 * A token is refused for its unknown `kid` only after a fetch that began when the token had come already. Before, its
 * key may be a new one: the only fetch in 30 s may have been used up by anybody, with any `kid`. Tokens are remembered
 * and not `kid`s, so that nobody can have a key refused that is still to come.
 */
export class Jwks implements TokenKeys {
  readonly #options: JwksOptions;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #closed = new AbortController();
  #keys: ReadonlyMap<string | undefined, TokenKey> | undefined;
  #fetchedAt = -Infinity;
  #fetching: Promise<void> | undefined;
  /** Digests of tokens with an unknown `kid` that came since the last fetch began. */
  #asked = new Set<string>();
  /** Those of which the last fetch has shown that their key is not in the set; none, if it failed. */
  #refused: ReadonlySet<string> = new Set();

  constructor(options: JwksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#timer = setInterval(() => void this.refresh(), REFRESH);
    this.#timer.unref();
  }

  find(kid: string | undefined, token: string): TokenKey | undefined | Promise<TokenKey | undefined> {
    const known = this.#known(kid);
    if (known !== undefined) return known;
    if (kid === undefined && this.#keys !== undefined && this.#keys.size > 1)
      throw badToken('names no key (kid), and there are several');
    return this.#findAnew(kid, token);
  }

  /** Fetches the set, if it may be fetched again by now; never rejects. */
  async refresh(): Promise<void> {
    if (this.#fetching === undefined && this.#barredFor() <= 0) {
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
    // Without a name there must be nothing to choose from.
    const [only, ...others] = this.#keys?.values() ?? [];
    return others.length === 0 ? only : undefined;
  }

  /** How long it is until the set may be fetched again, in ms. */
  #barredFor(): number {
    const interval = this.#keys === undefined ? FIRST_INTERVAL : LEAST_INTERVAL;
    return this.#fetchedAt + interval - this.#now();
  }

  async #findAnew(kid: string | undefined, token: string): Promise<TokenKey | undefined> {
    const digest = hash('sha256', token, 'base64url');
    if (this.#asked.size < MAX_ASKED) this.#asked.add(digest);
    await this.refresh();
    if (this.#keys === undefined)
      throw new BrokerError('keys-unavailable', 'The keys for tokens cannot be fetched now; try again.');
    const known = this.#known(kid);
    if (known !== undefined || this.#refused.has(digest)) return known;
    throw new BrokerError(
      'keys-unavailable',
      'The key of this token is not known yet, and the keys cannot be fetched anew just now; try again.',
      { retryAfter: Math.max(1, Math.ceil(this.#barredFor() / 1_000)) },
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
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT), this.#closed.signal]),
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`it answers with status ${response.status}`);
      }
      this.#keys = readKeys(await boundedText(response));
      this.#refused = asked;
      if (this.#keys.size === 0) this.#options.onFailed('it holds no key that tokens can be verified with');
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
    if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** An empty set is a set: whoever takes the last key out means it. */
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
    throw new Error('it is no JSON object');
  }
  if (!Array.isArray(keys)) throw new Error('it has no array "keys"');
  if (keys.length > MAX_KEYS) throw new Error(`it holds more than ${MAX_KEYS} keys`);
  return keys as unknown[];
}

/** What fetch says is "fetch failed"; the reason is behind it. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
