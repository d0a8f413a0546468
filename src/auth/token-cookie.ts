import type { IncomingHttpHeaders } from 'node:http';

export const TOKEN_COOKIE = 'sluice_token';

/** The token in a Cookie header (RFC 6265 §4.2); the first, should there be more: that of the nearest path. */
export function cookieToken(cookie = ''): string | undefined {
  // From one `;` to the next, without a list of thousands of cookies that are none of ours.
  for (let start = 0; start < cookie.length;) {
    const semicolon = cookie.indexOf(';', start);
    const end = semicolon < 0 ? cookie.length : semicolon;
    const token = tokenIn(cookie.slice(start, end).trim());
    if (token !== undefined) return token;
    start = end + 1;
  }
  return undefined;
}

function tokenIn(pair: string): string | undefined {
  if (!pair.startsWith(TOKEN_COOKIE)) return undefined;
  const equals = pair.indexOf('=');
  if (equals < 0 || pair.slice(0, equals).trimEnd() !== TOKEN_COOKIE) return undefined;
  const value = pair.slice(equals + 1).trimStart();
  // A value may stand in quotes, which are not part of it.
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  const token = quoted ? value.slice(1, -1) : value;
  return token === '' ? undefined : token;
}

/**
 * Whether a cookie says what the page wants that sent the request. A browser sends it along whoever asks, so the page
 * must be our own or one that is listed (CWE-1385: otherwise any page could listen with its visitor's cookie).
 */
export function cookieCounts(headers: IncomingHttpHeaders, listedOrigins: readonly string[]): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  // Only the browser can set it. It also knows what a proxy hides from us that gives us another Host.
  if (site === 'same-origin' || site === 'none') return true;
  // Without an origin there is no page, unless the browser says that it is another's: an image, a link.
  if (origin === undefined) return site === undefined;
  return listedOrigins.includes(origin) || (host !== undefined && isOriginOf(origin, host));
}

function isOriginOf(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || page.host === '' || page.origin !== origin) return false;
  // With the page's scheme, because whether there is TLS in front of us is not known here.
  return URL.parse(`${page.protocol}//${host}`)?.host === page.host;
}
