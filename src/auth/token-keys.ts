import { createPublicKey, createSecretKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { signatureAlgorithms } from '../core/signature-algorithm.ts';

/** What tokens are verified with, and the algorithms that it is for. */
export interface TokenKey {
  /** One, or several secrets while one takes the place of another: they are tried in this order. */
  readonly keys: readonly KeyObject[];
  readonly algorithms: readonly string[];
}

/** Where the key of a token is found. */
export interface TokenKeys {
  /**
   * Undefined when there is none for this `kid`; a promise only where one has to be fetched.
   * @param token the whole token, by which it is known again; nothing in it is true yet
   * @throws BrokerError `keys-unavailable` when there may be one that cannot be had now; `unauthorized` when the token
   *   has to say which, and does not
   */
  find(kid: string | undefined, token: string): TokenKey | undefined | Promise<TokenKey | undefined>;
}

/** One key for all tokens, whatever their `kid` says. */
export function singleKey(key: TokenKey): TokenKeys {
  return { find: () => key };
}

export function secretKeys(secrets: readonly string[]): TokenKey {
  return { keys: secrets.map((secret) => createSecretKey(secret, 'utf8')), algorithms: ['HS256'] };
}

/** @throws Error when the text is no PEM of a public key that tokens can be signed with */
export function pemKey(pem: string): TokenKey {
  const key = publicKey(createPublicKey(pem));
  if (key === undefined) throw new Error('This public key is of a kind that tokens are not verified with.');
  return key;
}

/** RFC 7517 §4. Undefined for a key that is not for verifying tokens: a secret, one for encryption, an unknown kind. */
export function jwkKey(jwk: Readonly<Record<string, unknown>>): TokenKey | undefined {
  const { kty, use, alg, key_ops: operations } = jwk;
  if (alg !== undefined && typeof alg !== 'string') return undefined;
  // A set that others can read is no place for a secret: with one, whoever reads it could sign.
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
