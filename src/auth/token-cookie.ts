import type { IncomingHttpHeaders } from 'node:http';
import type { AllowedOrigins } from './allowed-origins.ts';

/** How many different tokens of one request are tried. */
const MAX_TOKENS = 8;

/**
 * Reads the tokens in a Cookie header (RFC 6265 §4.2), in order and without repetition, up to eight. A browser sends several
 * cookies of one name when they were set for several paths or domains. It puts the longest path first, then the oldest cookie,
 * so the order does not show which token is valid.
 */
export function cookieTokens(cookie: string | undefined, name: string): readonly string[] {
  const tokens = new Set<string>();
  if (cookie === undefined) return [];
  // Goes from one `;` to the next, without a list of all cookies, which may be thousands.
  for (let start = 0; start < cookie.length && tokens.size < MAX_TOKENS;) {
    const semicolon = cookie.indexOf(';', start);
    const end = semicolon < 0 ? cookie.length : semicolon;
    const token = tokenIn(withoutBlanks(cookie.slice(start, end)), name);
    if (token !== undefined) tokens.add(token);
    start = end + 1;
  }
  return [...tokens];
}

function tokenIn(pair: string, name: string): string | undefined {
  if (!pair.startsWith(name)) return undefined;
  const equals = pair.indexOf('=');
  if (equals < 0 || withoutBlanks(pair.slice(0, equals)) !== name) return undefined;
  const value = withoutBlanks(pair.slice(equals + 1));
  // RFC 6265 allows quotes around a value. They are not part of the token.
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  const token = quoted ? value.slice(1, -1) : value;
  return token === '' ? undefined : token;
}

/**
 * Removes only blanks and tabs (RFC 6265 §5.2), unlike `trim`. A browser does not protect a cookie whose name is U+00A0 and then
 * `__Host-sluice`: any host of the domain can set it.
 */
function withoutBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t';
}

/**
 * Whether the cookie of a request is accepted. A browser sends cookies with the requests of any page, so the page must have
 * the broker's origin or a listed one. Otherwise any page could subscribe with its visitor's cookie (CWE-1385).
 */
export function isCookieAccepted(
  headers: IncomingHttpHeaders,
  origins: Pick<AllowedOrigins, 'lists'>,
): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  // Only the browser can set Sec-Fetch-Site. It is right even when a proxy changes the Host header.
  if (site === 'same-origin' || site === 'none') return true;
  // Without Origin and Sec-Fetch-Site the client is not a page. With Sec-Fetch-Site it is another site's image or link.
  if (origin === undefined) return site === undefined;
  return origins.lists(origin) || (host !== undefined && isOriginOf(origin, host));
}

function isOriginOf(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || page.host === '' || page.origin !== origin) return false;
  // Assumes the page's scheme, because the broker does not know whether a proxy in front of it uses TLS.
  return URL.parse(`${page.protocol}//${host}`)?.host === page.host;
}
