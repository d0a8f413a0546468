import type { Access } from './access.ts';
import type { CredentialGuard } from './credential-guard.ts';
import type { PublishKeys } from './publish-keys.ts';
import type { TokenVerifier } from './token-verifier.ts';
import { untimelyError } from './token-errors.ts';
import { BrokerError } from '../events/errors.ts';

export interface PublisherAccessOptions {
  readonly keys: Pick<PublishKeys, 'access'>;
  /** Undefined where no token key is configured: then only publish keys are taken. */
  readonly verifier: Pick<TokenVerifier, 'known' | 'verify'> | undefined;
  readonly guard: Pick<CredentialGuard, 'verify' | 'wrong'>;
}

/**
 * Checks the credentials of publishers (docs/protocol.md §7). They come in the Authorization header alone: if a cookie,
 * which browsers send by themselves, could publish, any page could publish in the name of its visitors.
 */
export class PublisherAccess {
  readonly #options: PublisherAccessOptions;

  constructor(options: PublisherAccessOptions) {
    this.#options = options;
  }

  /**
   * What a publish key allows, or a token that was verified a short while ago and is good now. Counts nothing; undefined
   * for everything else.
   */
  known(credential: string): Access | undefined {
    const { keys, verifier } = this.#options;
    const access = keys.access(credential) ?? verifier?.known(credential);
    return access?.kind === 'untimely' ? undefined : access;
  }

  /**
   * What a publish key, or a token, allows; undefined stands for a request without `Authorization: Bearer`. Gives a
   * promise only for a token that has to be verified; it rejects with a BrokerError.
   */
  of(credential: string | undefined, address: string): Access | BrokerError | Promise<Access> {
    const { keys, verifier, guard } = this.#options;
    if (credential === undefined) {
      const what = verifier === undefined ? 'publish key' : 'publish key or token';
      return new BrokerError('unauthorized', `This needs Authorization: Bearer <${what}>.`);
    }
    const access = keys.access(credential) ?? verifier?.known(credential);
    if (access !== undefined) return access.kind === 'untimely' ? untimelyError(access) : access;
    // A credential that does not look like a token was meant as a key.
    if (verifier !== undefined && credential.split('.').length === 3)
      return guard.verify(verifier, credential, address);
    const what =
      verifier === undefined
        ? 'This publish key is not one of SLUICE_PUBLISH_KEYS.'
        : 'These credentials are neither one of SLUICE_PUBLISH_KEYS nor a token.';
    return guard.wrong(new BrokerError('unauthorized', what), address);
  }
}
