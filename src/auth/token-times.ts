import { badToken } from './bad-token.ts';

/** The last second that a date can hold (ECMA-262 §21.4.1.1): later ones have no time in ms that could be compared. */
const LAST_SECOND = 8.64e12;

/** When a token is good, epoch ms. */
export interface TokenTimes {
  readonly expiresAt: number;
  readonly issuedAt: number;
}

/**
 * The times in a token's claims (RFC 7519 §4.1.4 to §4.1.6), of which `exp` and `nbf` have been compared with now. A
 * number can be finite and still be no date: 1e306 is Infinity in ms.
 * @param tolerance how far the clock of who signs may be from this one, in ms
 * @throws BrokerError `unauthorized`, naming the claim
 */
export function readTimes(claims: Readonly<Record<string, unknown>>, tolerance: number): TokenTimes {
  const exp = readDate('exp', claims['exp']);
  readDate('nbf', claims['nbf']);
  // Down to the millisecond in which it lies: revocations are that exact, and one of the same millisecond counts.
  const issuedAt = Math.floor(readDate('iat', claims['iat']));
  const now = Date.now();
  // A clock that is ahead of the signer's finds a token expired that is not: then it is good for the tolerance.
  return { issuedAt, expiresAt: exp > now ? exp : exp + tolerance };
}

/** Epoch ms; 0 for a claim that is not there. */
function readDate(name: string, seconds: unknown): number {
  if (seconds === undefined) return 0;
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= LAST_SECOND) return seconds * 1_000;
  throw badToken(`has an ${name} that is no date`);
}
