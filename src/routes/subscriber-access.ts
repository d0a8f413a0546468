import type { IncomingHttpHeaders } from 'node:http';
import type { TokenAccess } from '../auth/access.ts';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';
import { revokedToken, untimelyError } from '../auth/token-errors.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { CredentialGuard } from '../auth/credential-guard.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { isCookieAccepted, cookieTokens } from '../auth/token-cookie.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import type { UntimelyToken } from '../auth/token-errors.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { matchesAny } from '../events/channel-pattern.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
import type { Query } from './start-position.ts';

export interface SubscriberAccessOptions {
  /** Undefined when no key for tokens is set. Then only public channels can be subscribed to. */
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'> | undefined;
  readonly guard: Pick<CredentialGuard, 'judge' | 'wrong'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  /** Says which channels are public. */
  readonly policies: Pick<ChannelPolicies, 'isPublic'>;
  /** Other origins whose pages may use cookies. */
  readonly origins: Pick<AllowedOrigins, 'lists'>;
  /** The name of the cookie that may hold a token. */
  readonly tokenCookie: string;
}

type Verifier = NonNullable<SubscriberAccessOptions['verifier']>;

interface CredentialSource {
  readonly headers: IncomingHttpHeaders;
  readonly query: Query;
}

interface Granted {
  readonly granted: true;
  /** Undefined when no token is needed and none was sent. */
  readonly access: TokenAccess | undefined;
}

interface NotGranted {
  readonly granted: false;
  /** Undefined when no remembered token was refused. */
  readonly refusal: BrokerError | undefined;
}

const WITHOUT_TOKEN: Granted = { granted: true, access: undefined };
const NOT_GRANTED: NotGranted = { granted: false, refusal: undefined };

/** Decides whether a request may subscribe, and with which token (docs/protocol.md §7). */
export class SubscriberAccess {
  readonly #options: SubscriberAccessOptions;

  constructor(options: SubscriberAccessOptions) {
    this.#options = options;
  }

  /**
   * Returns the access of a token that grants all of the channels. Returns undefined when no token is needed and none was sent.
   * Returns a promise only when a token has to be verified.
   * @throws BrokerError `unauthorized`, `forbidden`, `invalid-query`, `keys-unavailable`, `too-many-requests`; the promise
   *   rejects with the same errors
   */
  of(
    request: CredentialSource,
    channels: readonly ChannelName[],
    address: string,
  ): TokenAccess | undefined | Promise<TokenAccess> {
    const unknown: string[] = [];
    const known = this.#ofKnown(request, channels, unknown);
    if (known.granted) return known.access;
    const { verifier } = this.#options;
    if (verifier === undefined || unknown.length === 0) throw known.refusal ?? this.#withoutToken(channels);
    return this.#verified(verifier, unknown, channels, address, known.refusal);
  }

  /**
   * Returns the access of a request that {@link of} would grant at once. Returns undefined for a request that would be refused, or
   * whose token would have to be verified. Counts nothing, so that the request may still be decided by {@link of}.
   */
  grantedAtOnce(request: CredentialSource, channels: readonly ChannelName[]): Granted | undefined {
    try {
      const known = this.#ofKnown(request, channels, []);
      return known.granted ? known : undefined;
    } catch (error) {
      if (error instanceof BrokerError) return undefined;
      throw error;
    }
  }

  /**
   * Tries the remembered tokens first: if one of them grants the channels, no other token needs to be verified.
   * @param unknown gets the tokens that have to be verified
   * @throws BrokerError `forbidden`, `invalid-query`
   */
  #ofKnown(
    request: CredentialSource,
    channels: readonly ChannelName[],
    unknown: string[],
  ): Granted | NotGranted {
    const { verifier, policies } = this.#options;
    const open = channels.every((channel) => policies.isPublic(channel));
    if (verifier === undefined) return open ? WITHOUT_TOKEN : NOT_GRANTED;
    const tokens = this.#tokensOf(request, open);
    if (tokens.length === 0) return open ? WITHOUT_TOKEN : NOT_GRANTED;
    let refusal: BrokerError | undefined;
    for (const token of tokens) {
      const known = verifier.known(token);
      if (known === undefined) {
        unknown.push(token);
        continue;
      }
      const fault = this.#faultOf(known, channels);
      if (fault === undefined && known.kind === 'token') return { granted: true, access: known };
      refusal = moreUseful(refusal, fault);
    }
    return { granted: false, refusal };
  }

  /** Returns the tokens of the request: one, or several when it has several cookies of the same name. */
  #tokensOf({ headers, query }: CredentialSource, open: boolean): readonly string[] {
    const { origins, tokenCookie } = this.#options;
    const bearer = bearerToken(headers.authorization);
    if (bearer !== undefined) return [bearer];
    // Browsers send cookies by themselves, so an expired cookie must not keep anybody out of a public channel.
    const cookies = open ? [] : cookieTokens(headers.cookie, tokenCookie);
    if (cookies.length > 0 && isCookieAccepted(headers, origins)) return cookies;
    const { token } = query;
    if (Array.isArray(token)) throw new BrokerError('invalid-query', 'The query has token= more than once.');
    if (token !== undefined && token !== '') return [token];
    if (cookies.length === 0) return [];
    throw new BrokerError(
      'forbidden',
      `The broker does not accept the cookie ${tokenCookie} from this page, because SLUICE_CORS_ORIGINS does not list its origin.`,
    );
  }

  /**
   * Returns the first token that is valid and grants the channels. When there is none and any token was wrong, the request counts
   * as one wrong credential.
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
        refusal = moreUseful(refusal, fault);
      } catch (error) {
        if (!(error instanceof BrokerError)) throw error;
        refusal = moreUseful(refusal, error);
        // The guard would not check further tokens either.
        if (error.code === 'too-many-requests') break;
      }
    }
    if (wrong !== undefined) refusal = moreUseful(refusal, guard.wrong(wrong, address));
    throw refusal ?? this.#withoutToken(channels);
  }

  /** Names the first channel that is not public, if there are several. */
  #withoutToken(channels: readonly ChannelName[]): BrokerError {
    const { verifier, policies } = this.#options;
    const closed = channels.find((channel) => !policies.isPublic(channel));
    const isNamed = channels.length > 1 && closed !== undefined;
    const which = isNamed ? `The channel ${closed}` : 'This channel';
    const advice = verifier === undefined ? '' : ' Send a token that grants it.';
    return new BrokerError(
      'unauthorized',
      `${which} is not public (SLUICE_PUBLIC_CHANNELS and SLUICE_CHANNELS do not make it public).${advice}`,
      isNamed ? { members: { channel: closed } } : {},
    );
  }

  /** Returns why a correctly signed token does not allow subscribing to the channels, or undefined when it does. */
  #faultOf(token: TokenAccess | UntimelyToken, channels: readonly ChannelName[]): BrokerError | undefined {
    if (token.kind === 'untimely') return untimelyError(token);
    const { policies, revocations } = this.#options;
    for (const channel of channels) {
      if (revocations.refuses(token, channel)) return revokedToken(channels.length > 1 ? channel : undefined);
      if (matchesAny(token.subscribe, channel) || policies.isPublic(channel)) continue;
      return new BrokerError('forbidden', `The token does not allow subscribing to ${channel}.`, {
        members: { channel },
      });
    }
    return undefined;
  }
}

/** Picks one of two refusals. A temporary one wins, then `forbidden`, whose token is valid, then the first one. */
function moreUseful(one: BrokerError | undefined, other: BrokerError | undefined): BrokerError | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return weight(other) > weight(one) ? other : one;
}

function weight({ code }: BrokerError): number {
  if (code === 'unauthorized') return 0;
  return code === 'forbidden' ? 1 : 2;
}
