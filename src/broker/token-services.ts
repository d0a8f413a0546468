import type { Logger } from 'pino';
import { Jwks } from '../auth/jwks.ts';
import { TokenIssuer } from '../auth/token-issuer.ts';
import { pemKey, secretKeys, singleKey } from '../auth/token-keys.ts';
import type { TokenKeys } from '../auth/token-keys.ts';
import { TokenVerifier } from '../auth/token-verifier.ts';
import type { Config } from '../config/config.ts';

/** Verifies and makes tokens. Without a token key, both parts are undefined. */
export interface TokenServices {
  readonly verifier: TokenVerifier | undefined;
  /** Undefined without a secret for signing tokens. */
  readonly issuer: TokenIssuer | undefined;
  close(): void;
}

export function tokenServices(config: Config, logger: Logger): TokenServices {
  const jwks = config.jwksUrl === undefined ? undefined : jwksAt(config.jwksUrl, logger);
  return {
    verifier: tokenVerifier(config, jwks),
    issuer: tokenIssuer(config),
    close: () => jwks?.close(),
  };
}

function jwksAt(url: string, logger: Logger): Jwks {
  const onFailed = (reason: string): void =>
    logger.warn({ reason }, 'SLUICE_JWKS_URL cannot be used; the broker keeps the keys that it has');
  const jwks = new Jwks({ url, onFailed });
  // The start does not wait for the keys. A token that arrives before the keys waits for them.
  void jwks.refresh();
  return jwks;
}

function tokenVerifier(config: Config, jwks: TokenKeys | undefined): TokenVerifier | undefined {
  const { jwtSecrets, jwtPublicKey, jwtIssuer, jwtAudience, jwtClockTolerance } = config;
  const keys = jwks ?? configuredKey(jwtSecrets, jwtPublicKey);
  if (keys === undefined) return undefined;
  return new TokenVerifier({
    keys,
    issuer: jwtIssuer,
    audience: jwtAudience,
    clockTolerance: jwtClockTolerance,
  });
}

function configuredKey(secrets: readonly string[], pem: string | undefined): TokenKeys | undefined {
  if (secrets.length > 0) return singleKey(secretKeys(secrets));
  return pem === undefined ? undefined : singleKey(pemKey(pem));
}

function tokenIssuer({ jwtSecrets, jwtIssuer, jwtAudience }: Config): TokenIssuer | undefined {
  const [secret] = jwtSecrets;
  if (secret === undefined) return undefined;
  return new TokenIssuer({ secret, issuer: jwtIssuer, audience: jwtAudience });
}
