import { badToken } from './token-errors.ts';

/** In characters. Browsers limit cookies to 4,096 bytes (RFC 6265 §6.1), and a token with a hundred grants is shorter too. */
export const MAX_TOKEN_LENGTH = 8_192;
/** In characters. */
const MAX_KID_LENGTH = 256;

/** Three parts of base64url (RFC 7515 §7.1). No part may be empty, so a token without a signature does not match. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export interface TokenHeader {
  readonly algorithm: string;
  readonly kid: string | undefined;
}

/**
 * Reads the header of a token before the expensive verification. The header is not trusted: it only says which key to look
 * for, and which algorithm the token claims.
 * @throws BrokerError `unauthorized` for a text that cannot be a token of this broker
 */
export function readTokenHeader(token: string): TokenHeader {
  if (token.length > MAX_TOKEN_LENGTH)
    throw badToken(`has ${token.length} characters; the limit is ${MAX_TOKEN_LENGTH}`);
  if (!COMPACT.test(token))
    throw badToken(
      'is not a JWT: a JWT has three parts in base64url, separated by dots. A publish key is not a token',
    );
  const { alg, kid, crit } = parseHeader(token.slice(0, token.indexOf('.')));
  if (typeof alg !== 'string' || alg === 'none') throw badToken('is not signed');
  // RFC 7515 §4.1.11: a token with an unknown critical extension must be refused. The broker knows no extension.
  if (crit !== undefined) throw badToken('needs extensions (crit), and the broker supports none');
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
    throw badToken(`has a kid that is not a text of up to ${MAX_KID_LENGTH} characters`);
  const signature = token.slice(token.lastIndexOf('.') + 1);
  // The last character may carry unused bits. Without this check one token would have several spellings.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    throw badToken('has a signature that is not base64url');
  return { algorithm: alg, kid };
}

function parseHeader(text: string): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch {
    // Refused below, like a header of another type.
  }
  throw badToken('has a header that is not a JSON object');
}
