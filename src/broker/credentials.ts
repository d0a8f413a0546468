import type { Logger } from 'pino';
import { AllowedOrigins } from '../auth/allowed-origins.ts';
import { CredentialGuard } from '../auth/credential-guard.ts';
import { FailedAttempts } from '../auth/failed-attempts.ts';
import { PublishKeys } from '../auth/publish-keys.ts';
import { PublisherAccess } from '../auth/publisher-access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { TokenIssuer } from '../auth/token-issuer.ts';
import type { Config } from '../config/config.ts';
import { SubscriberAccess } from '../routes/subscriber-access.ts';
import { tokenServices } from './token-services.ts';

/** Says who may publish, subscribe and make tokens, and from which origins. */
export interface Credentials {
  readonly keys: PublishKeys;
  readonly publishers: PublisherAccess;
  readonly subscribers: SubscriberAccess;
  readonly origins: AllowedOrigins;
  /** Undefined without a secret for signing tokens. */
  readonly issuer: TokenIssuer | undefined;
  close(): void;
}

export interface CredentialsOptions {
  readonly logger: Logger;
  readonly policies: ChannelPolicies;
  readonly revocations: Revocations;
  /** Called for each credential that is wrong, or was not checked because its address sent too many wrong ones. */
  readonly onFailed: () => void;
  /** Called for each publisher's request that is refused because its address sent too many wrong credentials. */
  readonly onTooMany: (address: string) => void;
}

export function openCredentials(config: Config, options: CredentialsOptions): Credentials {
  const { logger, policies, revocations, onFailed, onTooMany } = options;
  const attempts = new FailedAttempts(config.failedAuthLimit);
  const keys = new PublishKeys(config.publishKeys);
  const origins = new AllowedOrigins(config.corsOrigins);
  const tokens = tokenServices(config, logger);
  const { verifier } = tokens;
  return {
    keys,
    publishers: new PublisherAccess({
      keys,
      verifier,
      guard: new CredentialGuard({ attempts, onFailed, onTooMany }),
    }),
    subscribers: new SubscriberAccess({
      verifier,
      revocations,
      // A subscriber is asked to come back later instead, and the stream routes count it.
      guard: new CredentialGuard({ attempts, onFailed, onTooMany: () => undefined }),
      policies,
      origins,
      tokenCookie: config.tokenCookie,
    }),
    origins,
    issuer: tokens.issuer,
    close: () => tokens.close(),
  };
}
