import type { IncomingHttpHeaders } from 'node:http';

export const TOKEN_COOKIE = 'sluice_token';

/** The token in a Cookie header (RFC 6265 §4.2); the first, should there be more: that of the nearest path. */
export function cookieToken(cookie: string | undefined): string | undefined {
  for (const pair of cookie?.split(';') ?? []) {
    const [name = '', ...value] = pair.split('=');
    // A value may stand in quotes, which are not part of it.
    const token = value
      .join('=')
      .trim()
      .replace(/^"(.*)"$/, '$1');
    if (name.trim() === TOKEN_COOKIE && token !== '') return token;
  }
  return undefined;
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
