import type { ConnectOptions, TokenReason } from './types.ts';

/** How long `getToken` may take, in ms. */
const PATIENCE_MS = 10_000;
/** Timers of more than 2^31 ms fire at once. */
const MAX_TIMER_MS = 2_000_000_000;

/** The subscriber's token: gets it, renews it before it expires, and replaces it when the broker refused it. */
export interface Tokens {
  /** Called when there is a new token. Without it nobody needs one now. */
  renewed: (() => void) | undefined;
  /** Returns undefined when there is no `getToken`. Rejects when it fails: ask again later. */
  get(): Promise<string | undefined>;
  /** The broker refused the token, or it has expired. Returns whether there may be another one. */
  refuse(token: string | undefined): boolean;
  close(): void;
}

export function createTokens(getToken: ConnectOptions['getToken']): Tokens {
  let current: string | undefined;
  let refused: string | undefined;
  let why: TokenReason = 'start';
  let asking: Promise<string> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const answer = async (reason: TokenReason): Promise<string> => {
    let patience: ReturnType<typeof setTimeout> | undefined;
    try {
      const token = await new Promise<string>((resolve, reject) => {
        patience = setTimeout(reject, PATIENCE_MS);
        Promise.resolve(getToken?.(reason) as string).then(resolve, reject);
      });
      const old = refused;
      // The same token is tried again after a pause: it may be valid by then.
      refused = undefined;
      if (token === old) throw new Error('refused');
      renewAfter(lifetime(token) * (token === current ? 0.05 : 0.8));
      return (current = token);
    } finally {
      clearTimeout(patience);
      asking = undefined;
    }
  };
  // All streams wait for the same answer.
  const ask = (reason: TokenReason): Promise<string> => (asking ??= answer(reason));
  /** Asks for the next token so many ms from now, if the token has a known lifetime. */
  const renewAfter = (ms: number): void => {
    clearTimeout(timer);
    if (ms > 0) timer = setTimeout(() => void renew(ms), Math.min(Math.max(ms, 1000), MAX_TIMER_MS));
  };
  const renew = async (ms: number): Promise<void> => {
    const old = current;
    try {
      if (!self.renewed) current = undefined;
      else if ((await ask('expiring')) !== old) self.renewed();
    } catch {
      renewAfter(ms / 16);
    }
  };
  const self: Tokens = {
    renewed: undefined,
    get: async () => (getToken ? (current ?? (await ask(why))) : undefined),
    refuse(token) {
      if (token === current) current = undefined;
      refused = token;
      why = 'refused';
      return getToken !== undefined;
    },
    close: () => clearTimeout(timer),
  };
  return self;
}

/** Returns the lifetime of a token in ms. It counts from now, so the local clock may be wrong. NaN when nobody knows. */
function lifetime(token: string): number {
  try {
    const claims = atob((token.split('.')[1] as string).replaceAll('-', '+').replaceAll('_', '/'));
    const { exp, iat = Date.now() / 1000 } = JSON.parse(claims) as { exp: number; iat?: number };
    return (exp - iat) * 1000;
  } catch {
    return Number.NaN;
  }
}
