import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { signatureAlgorithms } from '../auth/signature-algorithm.ts';
import { commaList, isQuoted } from './raw-values.ts';

// Formats of the keys that verify tokens (docs/protocol.md §7). Each message completes "expected …".

/** RFC 7518 §3.2: an HS256 key is at least as long as the hash. */
const MIN_SECRET_BYTES = 32;

/** Bounds the cost of a token with a bad signature: the broker tries it with every secret. */
const MAX_SECRETS = 10;
const SECRETS = `one secret of ${MIN_SECRET_BYTES} bytes or more, such as the output of openssl rand -hex 32, or up to ${MAX_SECRETS} secrets separated by commas, without quotes and line breaks`;
/** Finds line breaks, which would join several secrets to one, and bytes that are not UTF-8. */
const NOT_TEXT = /[\p{Cc}\u2028\u2029\ufffd]/u;

export const jwtSecrets = z
  .string()
  .transform((text) => [...new Set(commaList(text))])
  .refine((secrets) => secrets.length > 0 && secrets.length <= MAX_SECRETS, SECRETS)
  .refine((secrets) => secrets.every(isSecret), SECRETS);

/** In an environment variable, line breaks of a PEM are often written as the two characters `\n`. */
export const publicKeyPem = z
  .string()
  .transform((text) => text.replaceAll(String.raw`\n`, '\n'))
  .refine(isPublicKey, 'a public key as PEM: RSA of 2048 bits or more, P-256, or Ed25519');

export const jwksUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}, 'an https:// or http:// URL without credentials');

function isSecret(text: string): boolean {
  return Buffer.byteLength(text) >= MIN_SECRET_BYTES && !isQuoted(text) && !NOT_TEXT.test(text);
}

function isPublicKey(pem: string): boolean {
  // Node would accept a private key and use its public half. A broker must not be given a private key.
  if (pem.includes('PRIVATE KEY')) return false;
  try {
    return signatureAlgorithms(createPublicKey(pem)) !== undefined;
  } catch {
    return false;
  }
}
