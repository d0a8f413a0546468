import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import type { JWTVerifyOptions, JWTVerifyResult } from 'jose';
import { BrokerError } from '../core/errors.ts';
import type { TokenAccess } from './access.ts';
import { badToken } from './bad-token.ts';
import { readGrants } from './grants.ts';
import { untimelyTokens, verifiedTokens } from './remembered-verdicts.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';
import { readTokenHeader } from './token-header.ts';
import { readTimes } from './token-times.ts';
import type { UntimelyToken } from './untimely-token.ts';

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
  readonly #verified = verifiedTokens();
  readonly #untimely = untimelyTokens();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** What was found out about a rightly signed token a short while ago, at the price of a digest. */
  known(token: string): TokenAccess | UntimelyToken | undefined {
    return this.#remembered(digestOf(token));
  }

  /**
   * What a rightly signed token allows, or why it is not good at this time.
   * @throws BrokerError `unauthorized` saying what is wrong with the token, `keys-unavailable`
   */
  async verify(token: string): Promise<TokenAccess | UntimelyToken> {
    const digest = digestOf(token);
    const known = this.#remembered(digest);
    if (known !== undefined) return known;
    const { algorithm, kid } = readTokenHeader(token);
    const found = await this.#options.keys.find(kid, token);
    if (found === undefined) throw badToken("is signed with a key that is not among this broker's");
    if (!found.algorithms.includes(algorithm))
      throw badToken(`is not signed with ${found.algorithms[0]}, which the key of this broker is for`);
    const verdict = await this.#check(token, found);
    if (verdict.kind === 'token') this.#verified.set(digest, verdict);
    else this.#untimely.set(digest, verdict);
    return verdict;
  }

  #remembered(digest: string): TokenAccess | UntimelyToken | undefined {
    return this.#verified.get(digest) ?? this.#untimely.get(digest);
  }

  async #check(token: string, { keys, algorithms }: TokenKey): Promise<TokenAccess | UntimelyToken> {
    const { issuer, audience, clockTolerance } = this.#options;
    try {
      const { payload } = await verifyWithAny(token, keys, {
        algorithms: [...algorithms],
        requiredClaims: ['exp'],
        clockTolerance: clockTolerance / 1_000,
        ...(issuer !== undefined && { issuer }),
        ...(audience !== undefined && { audience }),
      });
      const { sub } = payload;
      if (sub !== undefined && typeof sub !== 'string') throw badToken('has a sub that is no text');
      const grants = readGrants(payload);
      const times = readTimes(payload, clockTolerance);
      // No revocation of today would reach it.
      if (times.issuedAt > Date.now() + clockTolerance)
        return untimely('was issued in the future, by its iat', times.issuedAt - clockTolerance);
      return {
        kind: 'token',
        ...grants,
        subject: sub,
        ...times,
        // Without the signature, of which some algorithms have several for the same text.
        fingerprint: digestOf(token.slice(0, token.lastIndexOf('.'))),
      };
    } catch (error) {
      if (error instanceof BrokerError) throw error;
      const verdict = untimelyVerdict(error, clockTolerance);
      if (verdict !== undefined) return verdict;
      throw badToken(faultOf(error));
    }
  }
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url');
}

/** Tries the keys in their order: only a signature that is not that of one key may be that of the next. */
async function verifyWithAny(
  token: string,
  keys: readonly KeyObject[],
  options: JWTVerifyOptions,
): Promise<JWTVerifyResult> {
  let failed: unknown = new errors.JWSSignatureVerificationFailed();
  for (const key of keys) {
    try {
      return await jwtVerify(token, key, options);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      failed = error;
    }
  }
  throw failed;
}

function untimely(fault: string, from: number): UntimelyToken {
  return { kind: 'untimely', fault, from };
}

/** jose looks at the times last: when one of them refuses a token, its signature, issuer and audience are right. */
function untimelyVerdict(error: unknown, tolerance: number): UntimelyToken | undefined {
  if (error instanceof errors.JWTExpired) return untimely('has expired; get a new one', Infinity);
  if (!(error instanceof errors.JWTClaimValidationFailed)) return undefined;
  const { claim, reason, payload } = error;
  if (claim !== 'nbf' || reason !== 'check_failed') return undefined;
  return untimely('is not valid yet', Number(payload.nbf) * 1_000 - tolerance);
}

/** In our words and without the error itself, which holds the claims. */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `has no ${claim}, which is required here`;
    if (claim === 'iss') return 'is not from the issuer that SLUICE_JWT_ISSUER names (iss)';
    if (claim === 'aud') return 'is not for the audience that SLUICE_JWT_AUDIENCE names (aud)';
    return `has a claim ${claim} that cannot be read`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'has a signature that is not right';
  return 'cannot be read';
}
