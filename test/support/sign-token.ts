import { createHmac, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

type Claims = Readonly<Record<string, unknown>>;

/** The time `seconds` from now, in seconds since 1970. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds;
}

/**
 * Signs a JWT without Sluice's code, so that a test can make every part wrong. The token expires in a minute unless the
 * claims say otherwise.
 */
export function signToken(
  claims: Claims,
  secret: string | Buffer,
  header: Readonly<Record<string, unknown>> = {},
): string {
  return signText(JSON.stringify({ exp: inSeconds(60), ...claims }), secret, header);
}

/** Signs any text in the place of the claims. */
export function signText(
  claims: string,
  secret: string | Buffer,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const text = signingInput(claims, { alg: 'HS256', ...header });
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

/** Signs with a private key: RSA, P-256 or Ed25519. */
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
  // RFC 7518 §3.4: the signature is two numbers side by side, without DER.
  return `${text}.${sign(digest, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function signingInput(claims: string, header: Readonly<Record<string, unknown>>): string {
  return [JSON.stringify(header), claims].map((part) => Buffer.from(part).toString('base64url')).join('.');
}
