import { createHmac, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

type Claims = Readonly<Record<string, unknown>>;

/** Seconds since 1970, `seconds` from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}

/**
 * A JWT by hand, so that a test checks Sluice with code that is not Sluice's, and every part of it can be wrong. It expires in a
 * minute unless the claims say something else.
 */
export function signToken(
  claims: Claims,
  secret: string | Buffer,
  header: Readonly<Record<string, unknown>> = {},
): string {
  return signText(JSON.stringify({ exp: inSeconds(60), ...claims }), secret, header);
}

/** The same with anything in the place of the claims. */
export function signText(
  claims: string,
  secret: string | Buffer,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const text = signingInput(claims, { alg: 'HS256', ...header });
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** The same with a private key: RSA, P-256 or Ed25519. */
export function signTokenWith(
  claims: Claims,
  key: KeyObject,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const kinds = { rsa: 'RS256', ec: 'ES256', ed25519: 'EdDSA' } as const;
  const kind = key.asymmetricKeyType as keyof typeof kinds;
  const payload = JSON.stringify({ exp: inSeconds(60), ...claims });
  const text = signingInput(payload, { alg: kinds[kind], ...header });
  const digest = kind === 'ed25519' ? null : 'sha256';
  // RFC 7518 §3.4: two numbers side by side, and not the DER around them.
  return `${text}.${sign(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function signingInput(claims: string, header: Readonly<Record<string, unknown>>): string {
  return [JSON.stringify(header), claims].map((part) => Buffer.from(part).toString('base64url')).join('.');
}
