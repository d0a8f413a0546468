import { createPublicKey, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { signatureAlgorithms } from './signature-algorithm.ts';

/** A key that verifies tokens, with its algorithms. */
export interface TokenKey {
  /** One key, or several secrets during a change of secret. They are tried in this order. */
  readonly keys: readonly KeyObject[];
  readonly algorithms: readonly string[];
}

/** Finds the key of a token. */
export interface TokenKeys {
  /**
   * Returns undefined when there is no key for this `kid`. Returns a promise only when the key set has to be fetched.
   * @param token the whole token, to recognise it when it comes again. It is not verified yet.
   * @throws BrokerError `keys-unavailable` when the key may exist but cannot be fetched now; `unauthorized` when the token
   *   needs a `kid` and has none
   */
  find(kid: string | undefined, token: string): TokenKey | undefined | Promise<TokenKey | undefined>;
}

/** Uses one key for all tokens and ignores `kid`. */
export function singleKey(key: TokenKey): TokenKeys {
  return { find: () => key };
}

export function secretKeys(secrets: readonly string[]): TokenKey {
  return { keys: secrets.map((secret) => createSecretKey(secret, 'utf8')), algorithms: ['HS256'] };
}

/** @throws Error when the text is not the PEM of a public key of a supported kind */
export function pemKey(pem: string): TokenKey {
  const key = publicKey(createPublicKey(pem));
  if (key === undefined) throw new Error('This kind of public key cannot verify tokens.');
  return key;
}

/** Reads a JWK (RFC 7517 §4). Returns undefined for a key that cannot verify tokens, such as a secret or a key for encryption. */
export function jwkKey(jwk: Readonly<Record<string, unknown>>): TokenKey | undefined {
  const { kty, use, alg, key_ops: operations } = jwk;
  if (alg !== undefined && typeof alg !== 'string') return undefined;
  // Ignores secrets (kty "oct"): whoever can read the key set could sign tokens with them.
  if (kty !== 'RSA' && kty !== 'EC' && kty !== 'OKP') return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return undefined;
  try {
    const found = publicKey(createPublicKey({ key: jwk, format: 'jwk' }));
    return alg === undefined || found?.algorithms.includes(alg) === true ? found : undefined;
  } catch {
    return undefined;
  }
}

function publicKey(key: KeyObject): TokenKey | undefined {
  const algorithms = signatureAlgorithms(key);
  return algorithms === undefined ? undefined : { keys: [key], algorithms };
}
