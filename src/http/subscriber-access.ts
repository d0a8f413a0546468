import type { IncomingHttpHeaders } from 'node:http';
import type { TokenAccess } from '../auth/access.ts';
import { revokedToken } from '../auth/bad-token.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { CredentialGuard } from '../auth/credential-guard.ts';
import type { Revocations } from '../auth/revocations.ts';
import { cookieCounts, cookieToken } from '../auth/token-cookie.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import { untimelyError } from '../auth/untimely-token.ts';
import type { ChannelName } from '../core/channel-name.ts';
import { matchesAny } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
import { BrokerError } from '../core/errors.ts';
import type { Query } from './start-position.ts';

export interface SubscriberAccessOptions {
  /** Undefined where no token key is configured: then there is nothing but public channels. */
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'> | undefined;
  readonly guard: Pick<CredentialGuard, 'verify'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly publicChannels: readonly ChannelPattern[];
  /** Other origins whose pages may use their visitors' cookies. */
  readonly listedOrigins: readonly string[];
}

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
    const { verifier, guard, publicChannels } = this.#options;
    const open = channels.every((channel) => matchesAny(publicChannels, channel));
    const token = verifier === undefined ? undefined : this.#tokenOf(request, open);
    if (verifier === undefined || token === undefined) {
      if (open) return undefined;
      throw new BrokerError('unauthorized', withoutToken(verifier !== undefined));
    }
    const known = verifier.known(token);
    if (known?.kind === 'untimely') throw untimelyError(known);
    if (known !== undefined) return this.#granted(known, channels);
    return guard.verify(verifier, token, address).then((access) => this.#granted(access, channels));
  }

  #tokenOf({ headers, query }: Asked, open: boolean): string | undefined {
    const bearer = bearerToken(headers.authorization);
    if (bearer !== undefined) return bearer;
    // Browsers send it unasked: where none is needed, one that has expired must not shut anybody out.
    const cookie = open ? undefined : cookieToken(headers.cookie);
    const counts = cookie !== undefined && cookieCounts(headers, this.#options.listedOrigins);
    if (counts) return cookie;
    const { token } = query;
    if (Array.isArray(token)) throw new BrokerError('invalid-query', 'The query has token= more than once.');
    if (token !== undefined && token !== '') return token;
    if (cookie === undefined) return undefined;
    throw new BrokerError(
      'forbidden',
      'The cookie sluice_token is not taken from a page of another origin that is not among SLUICE_CORS_ORIGINS.',
    );
  }

  #granted(access: TokenAccess, channels: readonly ChannelName[]): TokenAccess {
    const { publicChannels, revocations } = this.#options;
    for (const channel of channels) {
      if (revocations.refuses(access, channel)) throw revokedToken();
      if (matchesAny(access.subscribe, channel) || matchesAny(publicChannels, channel)) continue;
      throw new BrokerError('forbidden', `The token does not grant subscribing to ${channel}.`);
    }
    return access;
  }
}

function withoutToken(tokensAreTaken: boolean): string {
  const way = tokensAreTaken ? ': send a token that grants it' : '';
  return `This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS${way}.`;
}
