import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import { signatureAlgorithms } from '../core/signature-algorithm.ts';
import { commaList } from './comma-list.ts';
import { isQuoted } from './is-quoted.ts';

// The forms of keys for tokens (docs/protocol.md §7). Each message completes "expected …".

/** RFC 7518 §3.2: a key of the hash's size or larger. */
const LEAST_SECRET_BYTES = 32;

/** A token that none of them has signed is tried with each. */
const MOST_SECRETS = 10;
const SECRETS = `one secret of ${LEAST_SECRET_BYTES} bytes or more, such as the output of openssl rand -hex 32, or up to ${MOST_SECRETS} separated by commas; without quotes and line breaks`;
/** A line for each secret, which is one secret in all; or what is left of bytes that are no text. */
const NO_TEXT = /[\p{Cc}\u2028\u2029\ufffd]/u;

export const jwtSecrets = z
  .string()
  .transform((text) => [...new Set(commaList(text))])
  .refine((secrets) => secrets.length > 0 && secrets.length <= MOST_SECRETS, SECRETS)
  .refine((secrets) => secrets.every(isSecret), SECRETS);

/** In a variable the lines of a PEM are often joined by the two characters `\n`. */
export const publicKeyPem = z
  .string()
  .transform((text) => text.replaceAll(String.raw`\n`, '\n'))
  .refine(isPublicKey, 'a public key as PEM: RSA of 2048 bits or more, P-256, or Ed25519');

export const jwksUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}, 'an https:// or http:// URL without credentials');

function isSecret(text: string): boolean {
  return Buffer.byteLength(text) >= LEAST_SECRET_BYTES && !isQuoted(text) && !NO_TEXT.test(text);
}

function isPublicKey(pem: string): boolean {
  // Node would take the public half of a private key, which has no business in a broker.
  if (pem.includes('PRIVATE KEY')) return false;
  try {
    return signatureAlgorithms(createPublicKey(pem)) !== undefined;
  } catch {
    return false;
  }
}
