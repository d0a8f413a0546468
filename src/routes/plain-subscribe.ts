import type { IncomingHttpHeaders } from 'node:http';
import type { Query } from './start-position.ts';
import { HEAD_END, MAX_HEAD_BYTES, readFields } from './request-fields.ts';
import type { FieldRules } from './request-fields.ts';

/** A complete request for the stream of one channel: HTTP/1.1 in a simple form with only one possible meaning. */
export interface PlainSubscribe {
  /** The bytes without the empty line at the end, one character each. */
  readonly head: string;
  /** The channel in the path, not yet checked. */
  readonly channel: string;
  readonly query: Query;
  /** The header fields that decide about the stream. */
  readonly headers: IncomingHttpHeaders;
  readonly forwardedFor: string | undefined;
  readonly acceptEncoding: string | undefined;
}

const START = 'GET /events/';
/** A query of these characters is the same before and after it is decoded. */
const REQUEST_LINE =
  /^GET \/events\/([A-Za-z0-9._:~-]{1,200})(?:\?([A-Za-z0-9._:~@,!$*/=&-]+))? HTTP\/1\.1(?=\r)/;

const FIELDS: FieldRules = {
  unusual: new Set([
    'content-encoding',
    'content-length',
    'expect',
    'http2-settings',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ]),
  known: new Set([
    'accept-encoding',
    'authorization',
    'connection',
    'cookie',
    'host',
    'last-event-id',
    'origin',
    'sec-fetch-site',
    'x-forwarded-for',
  ]),
};

/** The bytes of a request that the HTTP server has to answer after all. */
export function bytesOf({ head }: PlainSubscribe): Buffer {
  return Buffer.from(head + HEAD_END, 'latin1');
}

const NO_QUERY: Query = Object.freeze({});

/**
 * Reads a request from the start of a connection's bytes. Gives `incomplete` while the bytes may still become a plain
 * subscription, and `unusual` for everything else, wrong requests included: the HTTP server says what is wrong with them.
 * @param maxHead the limit for request line and fields, in bytes
 * @param progress how many first bytes are known not to hold the end of the head; is updated
 */
export function readPlainSubscribe(
  bytes: Buffer,
  maxHead = MAX_HEAD_BYTES,
  progress: { searched: number } = { searched: 0 },
): PlainSubscribe | 'incomplete' | 'unusual' {
  const end = bytes.indexOf(HEAD_END, progress.searched);
  const length = end < 0 ? bytes.length : end;
  if (length > Math.min(maxHead, MAX_HEAD_BYTES)) return 'unusual';
  if (end < 0) {
    if (!START.startsWith(bytes.toString('latin1', 0, Math.min(length, START.length)))) return 'unusual';
    // The last bytes may be the first ones of HEAD_END.
    progress.searched = Math.max(0, length - HEAD_END.length + 1);
    return 'incomplete';
  }
  // A request behind this one could never be answered. What becomes of it is for the HTTP server to say.
  if (bytes.length > end + HEAD_END.length) return 'unusual';
  return parseHead(bytes.toString('latin1', 0, end));
}

function parseHead(head: string): PlainSubscribe | 'unusual' {
  const line = REQUEST_LINE.exec(head);
  if (line === null) return 'unusual';
  const [whole, channel = '', queryText] = line;
  const query = queryText === undefined ? NO_QUERY : readQuery(queryText);
  const fields = readFields(head, whole.length, FIELDS);
  if (query === undefined || fields === undefined) return 'unusual';
  const host = fields.get('host');
  if (host === undefined || !isUsualConnection(fields.get('connection'))) return 'unusual';
  return {
    head,
    channel,
    query,
    headers: {
      authorization: fields.get('authorization'),
      cookie: fields.get('cookie'),
      host,
      origin: fields.get('origin'),
      'last-event-id': fields.get('last-event-id'),
      'sec-fetch-site': fields.get('sec-fetch-site'),
    },
    forwardedFor: fields.get('x-forwarded-for'),
    acceptEncoding: fields.get('accept-encoding'),
  };
}

/** The connection ends with the stream, whatever the client wants. Other options name fields, or ask for another protocol. */
function isUsualConnection(value: string | undefined): boolean {
  return value === undefined || /^(?:keep-alive|close)$/i.test(value);
}

/** Returns undefined for an empty name, a second `=`, and a name that comes twice. */
function readQuery(text: string): Query | undefined {
  // Without a prototype, because the client chooses the names.
  const query = Object.create(null) as Record<string, string>;
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    const value = equals < 0 ? '' : pair.slice(equals + 1);
    if (name === '' || name in query || value.includes('=')) return undefined;
    query[name] = value;
  }
  return query;
}
