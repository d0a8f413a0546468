import { badToken } from './bad-token.ts';

/** Longer than any cookie (RFC 6265 §6.1), and than a token with a hundred grants. */
export const MAX_TOKEN_LENGTH = 8_192;
const MAX_KID_LENGTH = 256;

/** Three parts of base64url, none of them empty (RFC 7515 §7.1): without a signature there is no token here. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export interface TokenHeader {
  readonly algorithm: string;
  readonly kid: string | undefined;
}

/**
 * Reads the header of a token, before anything expensive is done for it. Nothing in it is true yet: it only says which
 * key to look for, and what the token claims to be signed with.
 * @throws BrokerError `unauthorized` for what cannot be a token of this broker
 */
export function readTokenHeader(token: string): TokenHeader {
  if (token.length > MAX_TOKEN_LENGTH)
    throw badToken(`has ${token.length} characters; ${MAX_TOKEN_LENGTH} are allowed`);
  if (!COMPACT.test(token)) throw badToken('is no JWT: it is not made of three parts of base64url');
  const { alg, kid, crit } = parseHeader(token.slice(0, token.indexOf('.')));
  if (typeof alg !== 'string' || alg === 'none') throw badToken('is not signed');
  // RFC 7515 §4.1.11: what is not understood and critical refuses the token, and nothing of the kind is understood.
  if (crit !== undefined) throw badToken('asks for extensions (crit), of which none is known here');
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH))
    throw badToken(`has a kid that is no text of up to ${MAX_KID_LENGTH} characters`);
  const signature = token.slice(token.lastIndexOf('.') + 1);
  // The last character may carry bits that mean nothing: one token would have several spellings.
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature)
    throw badToken('has a signature that is no base64url');
  return { algorithm: alg, kid };
}

function parseHeader(text: string): Readonly<Record<string, unknown>> {
  try {
    const header: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof header === 'object' && header !== null) return header as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw badToken('has a header that is no JSON object');
}
