import { hash } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import type { JWTVerifyOptions, JWTVerifyResult } from 'jose';
import { BrokerError } from '../events/errors.ts';
import type { TokenAccess } from './access.ts';
import { readGrants } from './grants.ts';
import { untimelyTokens, verifiedTokens } from './remembered-verdicts.ts';
import type { TokenKey, TokenKeys } from './token-keys.ts';
import { badToken } from './token-errors.ts';
import type { UntimelyToken } from './token-errors.ts';
import { readTokenHeader } from './token-header.ts';

/** In seconds since 1970: the last date that JavaScript can hold (ECMA-262 §21.4.1.1). */
const LAST_SECOND = 8.64e12;

export interface TokenVerifierOptions {
  readonly keys: TokenKeys;
  /** The required `iss`. Undefined: not checked. */
  readonly issuer: string | undefined;
  /** The required `aud`. Undefined: not checked. */
  readonly audience: string | undefined;
  /** How far the signer's clock may differ from this one, in ms. */
  readonly clockTolerance: number;
}

/** Verifies tokens (RFC 7519) and reads what they allow. */
export class TokenVerifier {
  readonly #options: TokenVerifierOptions;
  readonly #verified = verifiedTokens();
  readonly #untimely = untimelyTokens();

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  /** Returns the remembered verdict on a correctly signed token. Costs one digest. */
  known(token: string): TokenAccess | UntimelyToken | undefined {
    return this.#remembered(digestOf(token));
  }

  /**
   * Returns what a correctly signed token allows, or that it is expired or not yet valid.
   * @throws BrokerError `unauthorized`, which says what is wrong with the token, or `keys-unavailable`
   */
  async verify(token: string): Promise<TokenAccess | UntimelyToken> {
    const digest = digestOf(token);
    const known = this.#remembered(digest);
    if (known !== undefined) return known;
    const { algorithm, kid } = readTokenHeader(token);
    const found = await this.#options.keys.find(kid, token);
    if (found === undefined) throw badToken('is signed with a key that this broker does not have');
    if (!found.algorithms.includes(algorithm))
      throw badToken(`is not signed with ${found.algorithms[0]}, the algorithm of this broker's key`);
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
      if (sub !== undefined && typeof sub !== 'string') throw badToken('has a sub that is not a text');
      const grants = readGrants(payload);
      const times = readTimes(payload, clockTolerance);
      // A revocation refuses tokens issued before it, so it could not refuse a token with an `iat` in the future.
      if (times.issuedAt > Date.now() + clockTolerance)
        return untimely('has an iat in the future', times.issuedAt - clockTolerance);
      return {
        kind: 'token',
        ...grants,
        subject: sub,
        ...times,
        // Without the signature, because some algorithms give a different signature each time.
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

/** Tries the keys in their order, and goes on to the next key only when the signature does not match. */
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

/** jose checks the times last. When it refuses a token for its times, signature, issuer and audience are correct. */
function untimelyVerdict(error: unknown, tolerance: number): UntimelyToken | undefined {
  if (error instanceof errors.JWTExpired) return untimely('has expired. Get a new one', Infinity);
  if (!(error instanceof errors.JWTClaimValidationFailed)) return undefined;
  const { claim, reason, payload } = error;
  if (claim !== 'nbf' || reason !== 'check_failed') return undefined;
  return untimely('is not valid yet', Number(payload.nbf) * 1_000 - tolerance);
}

/** Describes the error. Does not pass on the error of jose, because it holds the claims. */
function faultOf(error: unknown): string {
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error;
    if (reason === 'missing') return `has no ${claim}, which this broker requires`;
    if (claim === 'iss') return 'is not from the issuer that SLUICE_JWT_ISSUER names (iss)';
    if (claim === 'aud') return 'is not for the audience that SLUICE_JWT_AUDIENCE names (aud)';
    return `has an invalid claim ${claim}`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'has a wrong signature';
  return 'cannot be read';
}

/** In epoch ms. */
interface TokenTimes {
  readonly expiresAt: number;
  readonly issuedAt: number;
}

/**
 * Reads the times in a token's claims (RFC 7519 §4.1.4 to §4.1.6). jose has compared `exp` and `nbf` with the current time
 * before. A finite number may still be an invalid date: 1e306 s is Infinity in ms.
 * @param tolerance how far the signer's clock may differ from this one, in ms
 * @throws BrokerError `unauthorized`, naming the claim
 */
function readTimes(claims: Readonly<Record<string, unknown>>, tolerance: number): TokenTimes {
  const exp = readDate('exp', claims['exp']);
  readDate('nbf', claims['nbf']);
  // Rounded down to ms, the precision of revocations. A revocation of the same millisecond refuses the token.
  const issuedAt = Math.floor(readDate('iat', claims['iat']));
  const now = Date.now();
  // An `exp` in the past that jose accepted is within the tolerance: the token then stays valid for the tolerance.
  return { issuedAt, expiresAt: exp > now ? exp : exp + tolerance };
}

/** Returns epoch ms, or 0 for a missing claim. */
function readDate(name: string, seconds: unknown): number {
  if (seconds === undefined) return 0;
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= LAST_SECOND) return seconds * 1_000;
  throw badToken(`has an ${name} that is not a valid date`);
}
