/** Origins of pages: one of them, or those of all hosts below a domain. */
export type OriginPattern = ExactOrigin | OriginsBelow;

interface ExactOrigin {
  readonly kind: 'exact';
  readonly origin: string;
}

/** `https://*.example.com:8443`, taken apart at the `*`. */
interface OriginsBelow {
  readonly kind: 'below';
  /** `https://` */
  readonly start: string;
  /** `.example.com:8443` */
  readonly end: string;
}

/** Schemes that a page never has as its origin, or only together with every other page of its kind. */
const NO_ORIGIN = new Set(['ws', 'wss', 'ftp', 'file', 'blob', 'data', 'about', 'javascript', 'filesystem']);

/** What apps and extensions are served from: `capacitor://localhost`, `chrome-extension://<id>`, `app://-:8080`. */
const OTHER_SCHEME = /^(?<scheme>[a-z][a-z0-9+.-]{0,63}):\/\/[a-z0-9._-]{1,253}(?::[1-9]\d{0,4})?$/;
/** Safari's are UUIDs in capitals. */
const SAFARI_EXTENSION = /^safari-web-extension:\/\/[\dA-Fa-f-]{36}$/;
/** Labels of a host name, as browsers write them: in lower case and in ASCII. */
const LABELS = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
/** Longer than any origin whose host can be looked up. */
const MAX_LENGTH = 512;

/**
 * Reads a pattern: an origin as browsers write it (RFC 6454 §6.2), or one of http or https whose first label is `*`, with
 * two or more behind it. Undefined for anything else.
 */
export function parseOriginPattern(text: string): OriginPattern | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const wildcard = /^(?<start>https?:\/\/)\*(?<end>\.[^*]+)$/.exec(text)?.groups;
  if (wildcard !== undefined) {
    const { start = '', end = '' } = wildcard;
    const host = URL.parse(`${start}x${end}`)?.hostname ?? '';
    const isBelowDomain = LABELS.test(host) && host.split('.').length > 2;
    return isBelowDomain && isWebOrigin(`${start}x${end}`) ? { kind: 'below', start, end } : undefined;
  }
  return isWebOrigin(text) || isOtherOrigin(text) ? { kind: 'exact', origin: text } : undefined;
}

/** Whether the origin is that of a host below the pattern's domain, however deep; never that of the domain itself. */
export function isBelow({ start, end }: OriginsBelow, origin: string): boolean {
  if (origin.length > MAX_LENGTH || origin.length <= start.length + end.length) return false;
  if (!origin.startsWith(start) || !origin.endsWith(end)) return false;
  return LABELS.test(origin.slice(start.length, origin.length - end.length));
}

function isWebOrigin(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.origin === text && /^https?:$/.test(url.protocol) && !text.includes('*');
}

function isOtherOrigin(text: string): boolean {
  const scheme = OTHER_SCHEME.exec(text)?.groups?.['scheme'];
  if (scheme === undefined) return SAFARI_EXTENSION.test(text);
  const isWeb = scheme === 'http' || scheme === 'https';
  return !isWeb && !NO_ORIGIN.has(scheme) && URL.canParse(text);
}
