import { validateHeaderValue } from 'node:http';

/** What every stream's answer says of itself. */
export const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  // Nothing of another origin may embed it; reading it by CORS is another matter.
  'cross-origin-resource-policy': 'same-origin',
} as const;

const FIXED = Object.entries(STREAM_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

type HeaderValue = string | number | readonly string[];

/**
 * The head of a stream's answer. It has no length and no chunks: the stream ends when the connection does (RFC 9112
 * §6.3), so that one buffer serves every socket as it is.
 * @throws TypeError for a value that cannot stand in a header
 */
export function streamHead(more: Readonly<Record<string, HeaderValue | undefined>>): string {
  let lines = '';
  for (const [name, value] of Object.entries(more)) {
    for (const one of value === undefined ? [] : [value].flat()) {
      validateHeaderValue(name, String(one));
      lines += `${name}: ${String(one)}\r\n`;
    }
  }
  return `HTTP/1.1 200 OK\r\n${FIXED}${lines}connection: close\r\ndate: ${new Date().toUTCString()}\r\n\r\n`;
}
