import type { Tokens } from './link.ts';
import type { ConnectOptions, TokenReason } from './types.ts';

/** How long `getToken` may take, in ms. */
const PATIENCE_MS = 10_000;
/** Timers of more than 2^31 ms fire at once. */
const MAX_TIMER_MS = 2_000_000_000;

export function createTokens(getToken: ConnectOptions['getToken']): Tokens {
  /** The token, or the question for it: all streams wait for the same answer. */
  let answer: Promise<string> | undefined;
  let current: string | undefined;
  /** A token that is no use when it comes again. */
  let stale: string | undefined;
  let why: TokenReason = 'start';
  /** Ends the patience with `getToken`, and then renews the token. */
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** How long the token is valid altogether, in ms. Without a new one the question comes again every twentieth of it. */
  let lifetime = 0;
  let isClosed = false;

  const after = (ms: number, run: () => void): void => {
    clearTimeout(timer);
    timer = setTimeout(run, Math.min(ms, MAX_TIMER_MS));
  };
  const forget = (reason: TokenReason): void => {
    answer = undefined;
    stale = current;
    why = reason;
  };
  const ask = async (): Promise<string> => {
    const token = await Promise.race([
      getToken?.(why) as Promise<string>,
      new Promise<never>((_resolve, reject) => after(PATIENCE_MS, reject)),
    ]);
    const isStale = token === stale;
    // The same token is tried again after a pause: it may be valid by then.
    stale = undefined;
    if (isStale) throw new Error('stale');
    current = token;
    clearTimeout(timer);
    lifetime = lifetimeOf(token);
    renewAfter(lifetime * 0.8);
    return token;
  };
  const get = (): Promise<string> =>
    (answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    }));
  /** Asks for the next token so many ms from now. The stream goes on with this one until then. */
  const renewAfter = (ms: number): void => {
    if (ms > 0 && !isClosed)
      after(Math.max(ms, 1000), () => {
        forget('expiring');
        if (self.renewed) get().then(self.renewed, () => renewAfter(lifetime / 20));
      });
  };
  const self: Tokens = {
    renewed: undefined,
    get: async () => getToken && (await get()),
    refuse(token) {
      if (token === current) forget('refused');
      return !!getToken;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
  return self;
}

/** Returns the lifetime of a token in ms. It counts from now, so the local clock may be wrong. NaN when nobody knows. */
function lifetimeOf(token: string): number {
  try {
    const claims = atob((token.split('.')[1] as string).replaceAll('-', '+').replaceAll('_', '/'));
    const { exp, iat = Date.now() / 1000 } = JSON.parse(claims) as { exp: number; iat?: number };
    return (exp - iat) * 1000;
  } catch {
    return Number.NaN;
  }
}
