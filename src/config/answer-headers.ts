import { z } from 'zod';
import { parseJsonSetting, shownJson } from './json-setting.ts';

const MAX_HEADERS = 32;
/** Names and values together. nginx refuses an answer whose whole head is larger than 4 KiB (proxy_buffer_size). */
const MAX_TOTAL_BYTES = 2 * 1024;

const NAME_FORM = 'a name of letters, digits, - and _ that begins with a letter';
const VALUE_FORM = 'text of ASCII characters without line breaks, and without blanks at its ends';
/** Allows fewer names than RFC 9110 §5.1: proxies drop names with other characters. */
const NAME = /^[a-z][a-z\d_-]{0,99}$/i;
/** RFC 9110 §5.5, without `obs-text`. HTTP/2 refuses blanks at the ends (RFC 9113 §8.2.1). */
const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** Headers that the broker sends, or that would change how an answer is framed, cached or read. */
const OWNED: ReadonlySet<string> = new Set([
  'age',
  'allow',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-security-policy',
  'content-type',
  'cross-origin-resource-policy',
  'date',
  'etag',
  'expires',
  'http2-settings',
  'idempotent-replayed',
  'keep-alive',
  'last-modified',
  'location',
  'pragma',
  'proxy-connection',
  'referrer-policy',
  'retry-after',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'vary',
  'www-authenticate',
  'x-content-type-options',
]);
const OWNED_PREFIXES = ['access-control-', 'ratelimit', 'sluice-', 'x-accel-'];

/**
 * The value of SLUICE_HEADERS: a JSON object of names and values. Gives the names in lower case. Each fault in a header is an
 * issue whose path is the header's name. Its message follows the pointer in a sentence. The message of an issue without a path
 * completes "expected …", as for other settings.
 */
export const answerHeaders = z.string().transform((text, context) => {
  const { value: given, breaksAt } = parseJsonSetting(text);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    context.addIssue(`a JSON object of header names and values${breaksAt}`);
    return z.NEVER;
  }
  const headers = new Map<string, string>();
  const names = Object.entries(given).slice(0, MAX_HEADERS + 1);
  let totalBytes = 0;
  for (const [index, [name, value]] of names.entries()) {
    const fault =
      index === MAX_HEADERS
        ? `is header number ${MAX_HEADERS + 1}; expected at most ${MAX_HEADERS}`
        : faultOf(name, value, headers);
    if (fault !== undefined) {
      context.addIssue({ code: 'custom', path: [name], message: fault });
      continue;
    }
    totalBytes += name.length + String(value).length;
    headers.set(name.toLowerCase(), String(value));
    if (totalBytes > MAX_TOTAL_BYTES) {
      const message = `makes the headers larger than ${MAX_TOTAL_BYTES} bytes, names and values together`;
      context.addIssue({ code: 'custom', path: [name], message });
      break;
    }
  }
  return Object.fromEntries(headers);
});

function faultOf(name: string, value: unknown, earlier: ReadonlyMap<string, string>): string | undefined {
  if (!NAME.test(name)) return `is not the name of a header; expected ${NAME_FORM}`;
  const lower = name.toLowerCase();
  if (OWNED.has(lower) || OWNED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
    return 'belongs to the broker, which sets this header itself or keeps it out';
  if (earlier.has(lower)) return 'is there twice; upper and lower case are the same name';
  if (typeof value !== 'string' || !VALUE.test(value))
    return `is ${shownJson(value)}; expected ${VALUE_FORM}`;
  return undefined;
}
