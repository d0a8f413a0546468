import { STATUS_CODES, validateHeaderValue } from '../node/http.ts';

/** Headers of every stream's answer. */
export const STREAM_HEADERS = {
  // Some clients take text without a charset for Latin-1.
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
  // Other origins cannot embed the stream. CORS decides whether they can read it.
  'cross-origin-resource-policy': 'same-origin',
} as const;

const FIXED = Object.entries(STREAM_HEADERS)
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');

/** Header fields by name. A field with several values is written once for each. */
export type HeaderFields = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/**
 * The head of a stream's answer over HTTP/1, up to the value of its date. The connection ends with the stream. Clients of
 * HTTP/1.0 get no chunks: for them the end of the connection is the only end of the body (RFC 9112 §6.3).
 * @throws TypeError for a value that cannot stand in a header
 */
export function streamHeadBeforeDate(more: HeaderFields, chunked: boolean): string {
  const lines = chunked ? `${linesOf(more)}transfer-encoding: chunked\r\n` : linesOf(more);
  return lastHeadBeforeDate(200, FIXED + lines);
}

/**
 * The whole head of a stream's answer over HTTP/1.
 * @throws TypeError for a value that cannot stand in a header
 */
export function streamHead(more: HeaderFields, chunked: boolean): string {
  return headAt(streamHeadBeforeDate(more, chunked), new Date().toUTCString());
}

/** Completes a head. */
export function headAt(beforeDate: string, date: string): string {
  return `${beforeDate}${date}\r\n\r\n`;
}

/**
 * The head of another answer over HTTP/1 that ends its connection.
 * @throws TypeError for a value that cannot stand in a header
 */
export function lastAnswerHead(status: number, fields: HeaderFields): string {
  return headAt(lastHeadBeforeDate(status, linesOf(fields)), new Date().toUTCString());
}

function lastHeadBeforeDate(status: number, lines: string): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines}connection: close\r\ndate: `;
}

function linesOf(fields: HeaderFields): string {
  let lines = '';
  for (const [name, value] of Object.entries(fields)) {
    for (const one of value === undefined ? [] : [value].flat()) {
      validateHeaderValue(name, String(one));
      lines += `${name}: ${String(one)}\r\n`;
    }
  }
  return lines;
}
