import type { IncomingHttpHeaders } from 'node:http';
import type { TokenAccess } from '../auth/access.ts';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';
import { revokedToken } from '../auth/bad-token.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { CredentialGuard } from '../auth/credential-guard.ts';
import type { Revocations } from '../auth/revocations.ts';
import { cookieCounts, cookieTokens } from '../auth/token-cookie.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import { untimelyError } from '../auth/untimely-token.ts';
import type { UntimelyToken } from '../auth/untimely-token.ts';
import type { ChannelName } from '../core/channel-name.ts';
import { matchesAny } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
import { BrokerError } from '../core/errors.ts';
import type { Query } from './start-position.ts';

export interface SubscriberAccessOptions {
  /** Undefined where no token key is configured: then there is nothing but public channels. */
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'> | undefined;
  readonly guard: Pick<CredentialGuard, 'judge' | 'wrong'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly publicChannels: readonly ChannelPattern[];
  /** Other origins whose pages may use their visitors' cookies. */
  readonly origins: Pick<AllowedOrigins, 'lists'>;
  /** The name of the cookie that may hold a token. */
  readonly tokenCookie: string;
}

type Verifier = NonNullable<SubscriberAccessOptions['verifier']>;

interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly query: Query;
}

/** Who subscribes, and whether they may (docs/protocol.md §7). */
export class SubscriberAccess {
  readonly #options: SubscriberAccessOptions;

  constructor(options: SubscriberAccessOptions) {
    this.#options = options;
  }

  /**
   * What the request's token allows, all of the channels included; undefined for a request that needs none and has none; a
   * promise only where a token has to be verified.
   * @throws BrokerError `unauthorized`, `forbidden`, `invalid-query`, `keys-unavailable`, `too-many-requests`; also as a
   * rejection
   */
  of(
    request: Asked,
    channels: readonly ChannelName[],
    address: string,
  ): TokenAccess | undefined | Promise<TokenAccess> {
    const { verifier, publicChannels } = this.#options;
    const open = channels.every((channel) => matchesAny(publicChannels, channel));
    const tokens = verifier === undefined ? [] : this.#tokensOf(request, open);
    if (verifier === undefined || tokens.length === 0) {
      if (open) return undefined;
      throw new BrokerError('unauthorized', withoutToken(verifier !== undefined));
    }
    let refusal: BrokerError | undefined;
    const unknown: string[] = [];
    // Those that are known first: a good one of them makes it needless to verify another.
    for (const token of tokens) {
      const known = verifier.known(token);
      if (known === undefined) {
        unknown.push(token);
        continue;
      }
      const fault = this.#faultOf(known, channels);
      if (fault === undefined && known.kind === 'token') return known;
      refusal = moreTelling(refusal, fault);
    }
    if (unknown.length === 0) throw refusal ?? new BrokerError('unauthorized', withoutToken(true));
    return this.#verified(verifier, unknown, channels, address, refusal);
  }

  /** The tokens that the request brings: one, but for cookies, of which there may be several of the same name. */
  #tokensOf({ headers, query }: Asked, open: boolean): readonly string[] {
    const { origins, tokenCookie } = this.#options;
    const bearer = bearerToken(headers.authorization);
    if (bearer !== undefined) return [bearer];
    // Browsers send it unasked: where none is needed, one that has expired must not shut anybody out.
    const cookies = open ? [] : cookieTokens(headers.cookie, tokenCookie);
    if (cookies.length > 0 && cookieCounts(headers, origins)) return cookies;
    const { token } = query;
    if (Array.isArray(token)) throw new BrokerError('invalid-query', 'The query has token= more than once.');
    if (token !== undefined && token !== '') return [token];
    if (cookies.length === 0) return [];
    throw new BrokerError(
      'forbidden',
      `The cookie ${tokenCookie} is not taken from a page of another origin that is not among SLUICE_CORS_ORIGINS.`,
    );
  }

  /**
   * The first of the tokens that is good and grants the channels. Where none does, the request counts as one wrong credential
   * when any of them was wrong, however many there are.
   */
  async #verified(
    verifier: Verifier,
    tokens: readonly string[],
    channels: readonly ChannelName[],
    address: string,
    refusalOfKnown: BrokerError | undefined,
  ): Promise<TokenAccess> {
    const { guard } = this.#options;
    let refusal = refusalOfKnown;
    let wrong: BrokerError | undefined;
    for (const token of tokens) {
      try {
        const verdict = await guard.judge(verifier, token, address);
        if (verdict.kind === 'wrong') {
          wrong ??= verdict.error;
          continue;
        }
        const fault = this.#faultOf(verdict, channels);
        if (fault === undefined && verdict.kind === 'token') return verdict;
        refusal = moreTelling(refusal, fault);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        refusal = moreTelling(refusal, error);
        // No further one would be looked at either.
        if (error.code === 'too-many-requests') break;
      }
    }
    if (wrong !== undefined) refusal = moreTelling(refusal, guard.wrong(wrong, address));
    throw refusal ?? new BrokerError('unauthorized', withoutToken(true));
  }

  /** Why a rightly signed token does not let its holder subscribe to the channels; undefined when it does. */
  #faultOf(token: TokenAccess | UntimelyToken, channels: readonly ChannelName[]): BrokerError | undefined {
    if (token.kind === 'untimely') return untimelyError(token);
    const { publicChannels, revocations } = this.#options;
    for (const channel of channels) {
      if (revocations.refuses(token, channel)) return revokedToken();
      if (matchesAny(token.subscribe, channel) || matchesAny(publicChannels, channel)) continue;
      return new BrokerError('forbidden', `The token does not grant subscribing to ${channel}.`);
    }
    return undefined;
  }
}

/** Of the refusals of several tokens: that one may be good by and by, then that one is good, then the first. */
function moreTelling(one: BrokerError | undefined, other: BrokerError | undefined): BrokerError | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return weight(other) > weight(one) ? other : one;
}

function weight({ code }: BrokerError): number {
  if (code === 'unauthorized') return 0;
  return code === 'forbidden' ? 1 : 2;
}

function withoutToken(tokensAreTaken: boolean): string {
  const way = tokensAreTaken ? ': send a token that grants it' : '';
  return `This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS${way}.`;
}
