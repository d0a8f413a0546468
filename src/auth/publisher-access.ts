import type { Access } from '../auth/access.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { CredentialGuard } from '../auth/credential-guard.ts';
import type { PublishKeys } from '../auth/publish-keys.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import { untimelyError } from '../auth/untimely-token.ts';
import { BrokerError } from '../core/errors.ts';

export interface PublisherAccessOptions {
  readonly keys: Pick<PublishKeys, 'access'>;
  /** Undefined where no token key is configured: then only publish keys are taken. */
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'> | undefined;
  readonly guard: Pick<CredentialGuard, 'verify' | 'wrong'>;
}

/**
 * Who publishes (docs/protocol.md §7). Only the Authorization header says so: what a browser sends by itself, such as a
 * cookie, must not publish, or any page could in the name of its visitors.
 */
export class PublisherAccess {
  readonly #options: PublisherAccessOptions;

  constructor(options: PublisherAccessOptions) {
    this.#options = options;
  }

  /** What a publish key, or a token, allows. A promise only for a token that has to be verified; it rejects with a BrokerError. */
  of(authorization: string | undefined, address: string): Access | BrokerError | Promise<Access> {
    const { keys, verifier, guard } = this.#options;
    const credential = bearerToken(authorization);
    if (credential === undefined) {
      const what = verifier === undefined ? 'publish key' : 'publish key or token';
      return new BrokerError('unauthorized', `This needs Authorization: Bearer <${what}>.`);
    }
    const access = keys.access(credential) ?? verifier?.known(credential);
    if (access !== undefined) return access.kind === 'untimely' ? untimelyError(access) : access;
    // What does not even look like a token was meant as a key.
    if (verifier !== undefined && credential.split('.').length === 3)
      return guard.verify(verifier, credential, address);
    const what =
      verifier === undefined
        ? 'This publish key is not one of SLUICE_PUBLISH_KEYS.'
        : 'These credentials are neither one of SLUICE_PUBLISH_KEYS nor a token.';
    return guard.wrong(new BrokerError('unauthorized', what), address);
  }
}
