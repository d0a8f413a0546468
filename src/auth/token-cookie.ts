import type { IncomingHttpHeaders } from 'node:http';
import type { AllowedOrigins } from './allowed-origins.ts';

/** Cookies of one request that are tried; nobody has so many paths with one of their own. */
const MAX_TOKENS = 8;

/**
 * The tokens in a Cookie header (RFC 6265 §4.2), each once, in its order and up to eight. There are several when the name
 * was set for several paths or domains, and which comes first is no sign of which is good: the longest path does, then
 * the oldest.
 */
export function cookieTokens(cookie: string | undefined, name: string): readonly string[] {
  const tokens = new Set<string>();
  if (cookie === undefined) return [];
  // From one `;` to the next, without a list of thousands of cookies that are none of ours.
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
  // A value may stand in quotes, which are not part of it.
  const quoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  const token = quoted ? value.slice(1, -1) : value;
  return token === '' ? undefined : token;
}

/**
 * Blanks and tabs (RFC 6265 §5.2), and no others: a cookie called U+00A0 and then `__Host-sluice` is none of that prefix to a browser,
 * which takes it from any host of the domain.
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
 * Whether a cookie says what the page wants that sent the request. A browser sends it along whoever asks, so the page
 * must be our own or one that is listed (CWE-1385: otherwise any page could listen with its visitor's cookie).
 */
export function cookieCounts(headers: IncomingHttpHeaders, origins: Pick<AllowedOrigins, 'lists'>): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  // Only the browser can set it. It also knows what a proxy hides from us that gives us another Host.
  if (site === 'same-origin' || site === 'none') return true;
  // Without an origin there is no page, unless the browser says that it is another's: an image, a link.
  if (origin === undefined) return site === undefined;
  return origins.lists(origin) || (host !== undefined && isOriginOf(origin, host));
}

function isOriginOf(origin: string, host: string): boolean {
  const page = URL.parse(origin);
  if (page === null || page.host === '' || page.origin !== origin) return false;
  // With the page's scheme, because whether there is TLS in front of us is not known here.
  return URL.parse(`${page.protocol}//${host}`)?.host === page.host;
}
