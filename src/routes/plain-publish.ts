import { bearerToken } from '../auth/bearer.ts';
import { IDEMPOTENCY_KEY } from '../publish/publication.ts';
import { HEAD_END, MAX_HEAD_BYTES, readFields } from './request-fields.ts';
import type { FieldRules } from './request-fields.ts';

/** The complete head of a plain publish: HTTP/1.1 in a simple form with only one possible meaning. */
export interface PlainHead {
  /** The bytes of the head, including the empty line at its end. */
  readonly bytes: Buffer;
  /** The credential of `Authorization: Bearer`, not yet checked. */
  readonly credential: string;
  readonly idempotencyKey: string | undefined;
  /** The channel in the path; undefined when the body names it. */
  readonly channel: string | undefined;
  /** In bytes. */
  readonly bodyLength: number;
  /** The header fields of proxies about the client. */
  readonly forwardedFor: string | undefined;
  readonly forwardedProto: string | undefined;
  /** The header fields of W3C Trace Context. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** How far a request that arrives in pieces has been read, so that each byte is searched once. */
export interface ReadProgress {
  /** The number of first bytes in which the head does not end. */
  searched: number;
  /** The head, once it is complete. */
  head: PlainHead | undefined;
}

export function noProgress(): ReadProgress {
  return { searched: 0, head: undefined };
}

/** A complete publish. */
export interface PlainPublish {
  readonly head: PlainHead;
  /** Not parsed yet: the broker parses no body of a client that may not publish. */
  readonly body: Buffer;
}

/** Larger requests, with their head, are unusual. */
const MAX_REQUEST_BYTES = 64 * 1024;

const START = 'POST /publish';
const REQUEST_LINE = /^POST \/publish(?:\/([A-Za-z0-9._:~-]{1,200}))? HTTP\/1\.1(?=\r)/;
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;
const CONTENT_LENGTH = /^\d{1,6}$/;

const FIELDS: FieldRules = {
  unusual: new Set([
    'content-encoding',
    'cookie',
    'expect',
    'http2-settings',
    'if-match',
    'origin',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ]),
  known: new Set([
    'host',
    'authorization',
    'connection',
    'content-length',
    'content-type',
    'idempotency-key',
    'traceparent',
    'tracestate',
    'x-forwarded-for',
    'x-forwarded-proto',
  ]),
};

/**
 * Reads a request from the start of a connection's bytes. Gives `incomplete` while the bytes may still become a plain
 * publish, and `unusual` for everything else, wrong requests included: the HTTP server says what is wrong with them.
 *
 * A publisher sends the same head again and again. With the head of its last request as `last`, an equal head is not
 * parsed again. With the `progress` of the calls before, the bytes that were already searched are not searched again.
 */
export function readPlainPublish(
  bytes: Buffer,
  maxHead = MAX_HEAD_BYTES,
  last?: PlainHead,
  progress: ReadProgress = noProgress(),
): PlainPublish | 'incomplete' | 'unusual' {
  const known = progress.head ?? (last !== undefined && startsWith(bytes, last.bytes) ? last : undefined);
  const head = known ?? readHead(bytes, maxHead, progress);
  if (head === 'incomplete' || head === 'unusual') return head;
  progress.head = head;
  const bodyStart = head.bytes.length;
  const whole = bodyStart + head.bodyLength;
  if (bytes.length > whole) return 'unusual';
  if (bytes.length < whole) return 'incomplete';
  return { head, body: bytes.subarray(bodyStart) };
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && start.compare(bytes, 0, start.length) === 0;
}

function readHead(
  bytes: Buffer,
  maxHead: number,
  progress: ReadProgress,
): PlainHead | 'incomplete' | 'unusual' {
  const end = bytes.indexOf(HEAD_END, progress.searched);
  const length = end < 0 ? bytes.length : end;
  const start = bytes.toString('latin1', 0, Math.min(length, START.length));
  if (!START.startsWith(start) || length > Math.min(maxHead, MAX_HEAD_BYTES)) return 'unusual';
  if (end < 0) {
    // The last bytes may be the first ones of HEAD_END.
    progress.searched = Math.max(0, length - HEAD_END.length + 1);
    return 'incomplete';
  }
  return parseHead(bytes, end);
}

function parseHead(bytes: Buffer, end: number): PlainHead | 'unusual' {
  const text = bytes.toString('latin1', 0, end);
  const target = REQUEST_LINE.exec(text);
  const fields = target === null ? undefined : readFields(text, target[0].length, FIELDS);
  if (target === null || fields === undefined) return 'unusual';
  const contentLength = fields.get('content-length') ?? '';
  const credential = bearerToken(fields.get('authorization'));
  const idempotencyKey = fields.get('idempotency-key');
  if (
    credential === undefined ||
    !fields.has('host') ||
    !CONTENT_LENGTH.test(contentLength) ||
    (fields.get('connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive' ||
    (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey))
  )
    return 'unusual';

  const headLength = end + HEAD_END.length;
  const bodyLength = Number(contentLength);
  const channel = target[1];
  if (headLength + bodyLength > MAX_REQUEST_BYTES) return 'unusual';
  if (channel === undefined && (contentLength === '0' || !JSON_TYPE.test(fields.get('content-type') ?? '')))
    return 'unusual';
  // Copied: a slice would keep the whole chunk, or a slab of Node's buffer pool, in memory.
  const head = Buffer.allocUnsafeSlow(headLength);
  bytes.copy(head, 0, 0, headLength);
  return {
    bytes: head,
    credential,
    idempotencyKey,
    channel,
    bodyLength,
    forwardedFor: fields.get('x-forwarded-for'),
    forwardedProto: fields.get('x-forwarded-proto'),
    traceparent: fields.get('traceparent'),
    tracestate: fields.get('tracestate'),
  };
}
