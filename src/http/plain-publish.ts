import { bearerToken } from '../auth/bearer.ts';
import { IDEMPOTENCY_KEY } from '../publish/publication.ts';

/** The head of a publish in one of the plainest forms of HTTP/1.1, whole and beyond doubt. */
export interface PlainHead {
  /** With the empty line that ends it. */
  readonly bytes: Buffer;
  /** What `Authorization: Bearer` carries; nobody has looked at it yet. */
  readonly credential: string;
  readonly idempotencyKey: string | undefined;
  /** Undefined where the body names the channel. */
  readonly channel: string | undefined;
  /** In bytes. */
  readonly bodyLength: number;
  /** What proxies say about the client. */
  readonly forwardedFor: string | undefined;
  readonly forwardedProto: string | undefined;
  /** The header fields of W3C Trace Context. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** How far a request has been read that comes in pieces: each byte is looked at once, however small they are. */
export interface ReadProgress {
  /** The end of the head is not in so many bytes. */
  searched: number;
  /** The head, once it is whole. */
  head: PlainHead | undefined;
}

export function noProgress(): ReadProgress {
  return { searched: 0, head: undefined };
}

/** The whole of such a publish. */
export interface PlainPublish {
  readonly head: PlainHead;
  /** Unread: whoever may not publish does not get to make the broker parse. */
  readonly body: Buffer;
}

/** Of a request's head, in bytes and in lines; more is unusual. */
const MAX_HEAD = 8 * 1024;
const MAX_LINES = 64;
/** Of a whole request, in bytes. */
const MAX_REQUEST = 64 * 1024;

const START = 'POST /publish';
const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /^POST \/publish(?:\/([A-Za-z0-9._:~-]{1,200}))? HTTP\/1\.1$/;
/**
 * RFC 9110 §5.1 and §5.5, without `obs-text`; no line of this form folds (RFC 9112 §5.2), or holds CR or LF. One class of
 * characters each, so that a search costs the length of the line: what is matched by several repetitions next to each
 * other is tried in every division.
 */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;
const CONTENT_LENGTH = /^\d{1,6}$/;

/** What changes the framing or the meaning of a request, or what its answer has to be: left to those who know all of it. */
const UNUSUAL: ReadonlySet<string> = new Set([
  'content-encoding',
  'cookie',
  'expect',
  'http2-settings',
  'origin',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Read here; one of them twice is unusual. */
const KNOWN: ReadonlySet<string> = new Set([
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
]);

/**
 * Reads a request from the start of a connection's bytes: `incomplete` while it may still become a plain publish,
 * `unusual` for everything else, which includes all that is wrong. It never has to be right about what is wrong. Who
 * publishes again and again sends the same head again and again: with the head of the request before as `last`, the same
 * bytes are not read twice. With the `progress` of the calls before, neither are the bytes that have come already.
 */
export function readPlainPublish(
  bytes: Buffer,
  maxHead = MAX_HEAD,
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
  if (!START.startsWith(start) || length > Math.min(maxHead, MAX_HEAD)) return 'unusual';
  if (end < 0) {
    // Its last bytes may be the beginning of the end.
    progress.searched = Math.max(0, length - HEAD_END.length + 1);
    return 'incomplete';
  }
  return parseHead(bytes, end);
}

function parseHead(bytes: Buffer, end: number): PlainHead | 'unusual' {
  const text = bytes.toString('latin1', 0, end);
  const [requestLine = '', ...lines] = text.split('\r\n');
  const target = REQUEST_LINE.exec(requestLine);
  const fields = lines.length > MAX_LINES ? undefined : readFields(lines);
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
  if (headLength + bodyLength > MAX_REQUEST) return 'unusual';
  if (channel === undefined && (contentLength === '0' || !JSON_TYPE.test(fields.get('content-type') ?? '')))
    return 'unusual';
  // A copy of its own, because a part of what was read, or of Node's pool, would hold all of it.
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

function readFields(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1);
    if (!FIELD_NAME.test(line.slice(0, Math.max(colon, 0))) || !FIELD_VALUE.test(value)) return undefined;
    const name = line.slice(0, colon).toLowerCase();
    if (UNUSUAL.has(name) || fields.has(name)) return undefined;
    // Of what `trim` takes, a value of these characters can only hold blanks and tabs.
    if (KNOWN.has(name)) fields.set(name, value.trim());
  }
  return fields;
}
