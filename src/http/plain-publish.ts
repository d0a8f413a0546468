import { parseChannelName } from '../core/channel-name.ts';
import { bearerToken } from '../auth/bearer.ts';
import type { Publication } from './publication.ts';
import { IDEMPOTENCY_KEY, parsePublication, parseRawPublication } from './publication.ts';

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
}

/** The whole of such a publish. */
export interface PlainPublish {
  readonly head: PlainHead;
  /** Checks the body only now, because who may not publish does not get to make us parse. @throws BrokerError */
  readonly publication: () => Publication;
}

/** Of a request's head, in bytes and in lines; more is unusual. */
const MAX_HEAD = 8 * 1024;
const MAX_LINES = 64;
/** Of a whole request, in bytes. */
const MAX_REQUEST = 64 * 1024;

const START = 'POST /publish';
const REQUEST_LINE = /^POST \/publish(?:\/([A-Za-z0-9._:~-]{1,200}))? HTTP\/1\.1$/;
/** RFC 9110 §5.1 and §5.5, without `obs-text`; no line of this form folds (RFC 9112 §5.2), or holds CR or LF. */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e]*?)[\t ]*$/;
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
type Known = 'host' | 'authorization' | 'connection' | 'content-length' | 'content-type' | 'idempotency-key';
const KNOWN: ReadonlySet<string> = new Set<Known>([
  'host',
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'idempotency-key',
]);

/**
 * Reads a request from the start of a connection's bytes: `incomplete` while it may still become a plain publish,
 * `unusual` for everything else, which includes all that is wrong. It never has to be right about what is wrong. Who
 * publishes again and again sends the same head again and again: with the head of the request before as `last`, the same
 * bytes are not read twice.
 */
export function readPlainPublish(
  bytes: Buffer,
  maxHead = MAX_HEAD,
  last?: PlainHead,
): PlainPublish | 'incomplete' | 'unusual' {
  const head = last !== undefined && startsWith(bytes, last.bytes) ? last : readHead(bytes, maxHead);
  if (head === 'incomplete' || head === 'unusual') return head;
  const bodyStart = head.bytes.length;
  const whole = bodyStart + head.bodyLength;
  if (bytes.length > whole) return 'unusual';
  if (bytes.length < whole) return 'incomplete';
  const body = bytes.subarray(bodyStart);
  return {
    head,
    publication: () =>
      head.channel === undefined
        ? parsePublication(body)
        : parseRawPublication(parseChannelName(head.channel), undefined, body),
  };
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.length >= start.length && start.compare(bytes, 0, start.length) === 0;
}

function readHead(bytes: Buffer, maxHead: number): PlainHead | 'incomplete' | 'unusual' {
  const end = bytes.indexOf('\r\n\r\n');
  const text = bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
  if (!START.startsWith(text.slice(0, START.length)) || text.length > Math.min(maxHead, MAX_HEAD))
    return 'unusual';
  if (end < 0) return 'incomplete';

  const [requestLine = '', ...lines] = text.split('\r\n');
  const target = REQUEST_LINE.exec(requestLine);
  const fields = lines.length > MAX_LINES ? undefined : readFields(lines);
  if (target === null || fields === undefined) return 'unusual';
  const length = fields.get('content-length') ?? '';
  const credential = bearerToken(fields.get('authorization'));
  const idempotencyKey = fields.get('idempotency-key');
  if (
    credential === undefined ||
    !fields.has('host') ||
    !CONTENT_LENGTH.test(length) ||
    (fields.get('connection') ?? 'keep-alive').toLowerCase() !== 'keep-alive' ||
    (idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(idempotencyKey))
  )
    return 'unusual';

  const headLength = end + 4;
  const bodyLength = Number(length);
  const channel = target[1];
  if (headLength + bodyLength > MAX_REQUEST) return 'unusual';
  if (channel === undefined && (length === '0' || !JSON_TYPE.test(fields.get('content-type') ?? '')))
    return 'unusual';
  // A copy, because a part of what was read would hold all of it.
  return {
    bytes: Buffer.from(bytes.subarray(0, headLength)),
    credential,
    idempotencyKey,
    channel,
    bodyLength,
  };
}

function readFields(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const line of lines) {
    const match = FIELD.exec(line);
    if (match === null) return undefined;
    const name = (match[1] as string).toLowerCase();
    if (UNUSUAL.has(name) || fields.has(name)) return undefined;
    if (KNOWN.has(name)) fields.set(name, match[2] as string);
  }
  return fields;
}
