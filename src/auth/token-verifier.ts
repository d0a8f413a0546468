import { hash } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { BrokerError } from '../core/errors.ts';
import type { TokenAccess } from './access.ts';
import { badToken } from './bad-token.ts';
import { readGrants } from './grants.ts';
import type { TokenKeys } from './token-keys.ts';
import { readTokenHeader } from './token-header.ts';
import { readTimes } from './token-times.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export interface TokenVerifierOptions {
  readonly keys: TokenKeys;
  /** What `iss` and `aud` must say; undefined: not looked at. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** How far the clock of who signs may be from this one, in ms. */
  readonly clockTolerance: number;
}

/** Tells good tokens (RFC 7519) from bad ones, and what the good ones allow. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #verified = new VerifiedTokens();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** What a token allows that was found good a short while ago, at the price of a digest. */
  known(token: string): TokenAccess | undefined {
    return this.#verified.get(token);
  }

  /** @throws BrokerError `unauthorized` saying what is wrong with the token, `keys-unavailable` */
  async verify(token: string): Promise<TokenAccess> {
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const { algorithm, kid } = readTokenHeader(token);
    const found = await this.#options.keys.find(kid, token);
    if (found === undefined) throw badToken("is signed with a key that is not among this broker's");
    if (!found.algorithms.includes(algorithm))
      throw badToken(`is not signed with ${found.algorithms[0]}, which the key of this broker is for`);
    const access = await this.#check(token, found.key, found.algorithms);
    this.#verified.set(token, access);
    return access;
  }

  async #check(
    token: string,
    key: Parameters<typeof jwtVerify>[1],
    algorithms: readonly string[],
  ): Promise<TokenAccess> {
    const { issuer, audience, clockTolerance } = this.#options;
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: [...algorithms],
        requiredClaims: ['exp'],
        clockTolerance: clockTolerance / 1_000,
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      });
      const { sub } = payload;
      if (sub !== undefined && typeof sub !== 'string') throw badToken('has a sub that is no text');
      return {
        kind: 'token',
        ...readGrants(payload),
        subject: sub,
        ...readTimes(payload, clockTolerance),
        // Without the signature, of which some algorithms have several for the same text.
        fingerprint: hash('sha256', token.slice(0, token.lastIndexOf('.')), 'base64url'),
      };
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      throw badToken(faultOf(error));
    }
  }
}

/** In our words and without the error itself, which holds the claims. */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'has expired; get a new one';
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `has no ${claim}, which is required here`;
    if (claim === 'nbf' && reason === 'check_failed') return 'is not valid yet';
    if (claim === 'iss') return 'is not from the issuer that SLUICE_JWT_ISSUER names (iss)';
    if (claim === 'aud') return 'is not for the audience that SLUICE_JWT_AUDIENCE names (aud)';
    return `has a claim ${claim} that cannot be read`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'has a signature that is not right';
  return 'cannot be read';
}
