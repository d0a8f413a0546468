import { badToken } from './bad-token.ts';

/** In seconds since 1970: the last date that JavaScript can hold (ECMA-262 §21.4.1.1). */
const LAST_SECOND = 8.64e12;

/** In epoch ms. */
export interface TokenTimes {
  readonly expiresAt: number;
  readonly issuedAt: number;
}

/**
 * Reads the times in a token's claims (RFC 7519 §4.1.4 to §4.1.6). jose has compared `exp` and `nbf` with the current time
 * before. A finite number may still be an invalid date: 1e306 s is Infinity in ms.
 * @param tolerance how far the signer's clock may differ from this one, in ms
 * @throws BrokerError `unauthorized`, naming the claim
 */
export function readTimes(claims: Readonly<Record<string, unknown>>, tolerance: number): TokenTimes {
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
