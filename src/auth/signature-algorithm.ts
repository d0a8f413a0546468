import type { KeyObject } from 'node:crypto';

/** What a public key can have signed, by its kind alone (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2). */
export type SignatureAlgorithms = readonly ['RS256'] | readonly ['ES256'] | readonly ['EdDSA', 'Ed25519'];

/** RFC 7518 §3.3. */
const LEAST_RSA_BITS = 2048;

/**
 * The algorithm follows from the key, never from a token: who signs does not choose how it is checked. Undefined for a
 * key of which tokens make no use: a secret one, another curve, RSA with less than 2048 bits.
 */
export function signatureAlgorithms(key: KeyObject): SignatureAlgorithms | undefined {
  if (key.type !== 'public') return undefined;
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength >= LEAST_RSA_BITS ? ['RS256'] : undefined;
    case 'ec':
      return namedCurve === 'prime256v1' ? ['ES256'] : undefined;
    case 'ed25519':
      // Two names of one thing.
      return ['EdDSA', 'Ed25519'];
    default:
      return undefined;
  }
}
