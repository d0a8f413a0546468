import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPlainPublish } from '../../../src/routes/plain-publish.ts';
import type { PlainPublish } from '../../../src/routes/plain-publish.ts';

const BODY = '{"channel":"news","data":"x"}';
const HOST = 'Host: broker.test';
const KEY = 'Authorization: Bearer secret';
const JSON_TYPE = 'Content-Type: application/json';
const LENGTH = `Content-Length: ${BODY.length}`;

function request(lines: readonly string[], body = BODY, start = 'POST /publish HTTP/1.1'): Buffer {
  return Buffer.from([start, ...lines, '', body].join('\r\n'), 'latin1');
}

const PLAIN = [HOST, KEY, JSON_TYPE, LENGTH];

function plain(bytes: Buffer): PlainPublish {
  const result = readPlainPublish(bytes);
  if (typeof result === 'string') throw new Error(`${result}: ${bytes.toString('latin1')}`);
  return result;
}

test('a whole request is read, with any other headers', () => {
  const extra = [
    'User-Agent: backend/1.0',
    'accept: */*',
    'X-Forwarded-For: 10.0.0.1, 10.0.0.2',
    'X-Forwarded-Proto: https',
    'traceparent: 00-a-b-01',
    'tracestate: a=b',
    'Connection: keep-alive',
  ];
  const read = plain(request([...extra, ...PLAIN, 'idempotency-key:  k-1 ']));
  expect(read).toMatchObject({
    head: {
      credential: 'secret',
      idempotencyKey: 'k-1',
      bodyLength: BODY.length,
      forwardedFor: '10.0.0.1, 10.0.0.2',
      forwardedProto: 'https',
      traceparent: '00-a-b-01',
      tracestate: 'a=b',
    },
  });
  expect(read.body.toString()).toBe(BODY);
});

test('with the channel in the path, the body is the data, for any content type', () => {
  const head = [HOST, KEY, 'Content-Type: text/plain', 'Content-Length: 5'];
  const read = plain(request(head, 'hello', 'POST /publish/a.b~c:1 HTTP/1.1'));
  expect([read.head.channel, read.body.toString()]).toEqual(['a.b~c:1', 'hello']);
});

test('a request is incomplete at every byte before the last', () => {
  const bytes = request(PLAIN);
  for (let length = 0; length < bytes.length; length++)
    expect(readPlainPublish(bytes.subarray(0, length))).toBe('incomplete');
  expect(readPlainPublish(bytes)).not.toBeTypeOf('string');
});

describe('after a request with the same head', () => {
  const { head } = plain(request(PLAIN));

  test('the head is not parsed again, and the body is', () => {
    const body = BODY.replace('x', 'y');
    const read = readPlainPublish(request(PLAIN, body), undefined, head);
    if (typeof read === 'string') throw new Error(read);
    expect(read.head).toBe(head);
    expect(read.body.toString()).toBe(body);
  });

  test.each([
    ['another length', request([HOST, KEY, JSON_TYPE, 'Content-Length: 30'], `${BODY} `)],
    ['another key', request([HOST, 'Authorization: Bearer another', JSON_TYPE, LENGTH])],
    ['a channel in the path', request(PLAIN, BODY, 'POST /publish/news HTTP/1.1')],
    ['one field more', request([...PLAIN, 'Idempotency-Key: k'])],
    ['the same and too much', request(PLAIN, `${BODY}x`)],
    ['the same and too little', request(PLAIN, BODY.slice(1))],
    ['the beginning of the same', request(PLAIN).subarray(0, 40)],
    ['nothing', Buffer.alloc(0)],
  ])('%s is read exactly as without that request', (_what, bytes) => {
    const [known, anew] = [readPlainPublish(bytes, undefined, head), readPlainPublish(bytes)];
    if (typeof known === 'string' || typeof anew === 'string') expect(known).toBe(anew);
    else {
      expect(known.head).toEqual(anew.head);
      expect(known.body).toEqual(anew.body);
    }
  });
});

describe('a request is unusual with', () => {
  test.each([
    ['another method', request(PLAIN, BODY, 'PUT /publish HTTP/1.1')],
    ['another path', request(PLAIN, BODY, 'POST /publisher HTTP/1.1')],
    ['a query', request(PLAIN, BODY, 'POST /publish/news?event=a HTTP/1.1')],
    ['a percent sign in the path', request(PLAIN, BODY, 'POST /publish/n%65ws HTTP/1.1')],
    ['another version', request(PLAIN, BODY, 'POST /publish HTTP/1.0')],
    ['two spaces', request(PLAIN, BODY, 'POST  /publish HTTP/1.1')],
    ['no Host', request(PLAIN.slice(1))],
    ['no key', request([HOST, JSON_TYPE, LENGTH])],
    ['a key of another scheme', request([HOST, 'Authorization: Basic secret', JSON_TYPE, LENGTH])],
    ['no Content-Length', request([HOST, KEY, JSON_TYPE])],
    ['no Content-Type', request([HOST, KEY, LENGTH])],
    ['an empty body', request([HOST, KEY, JSON_TYPE, 'Content-Length: 0'], '')],
    ['another type', request([HOST, KEY, LENGTH, 'Content-Type: text/json'])],
    ['a signed length', request([HOST, KEY, JSON_TYPE, `Content-Length: +${BODY.length}`])],
    ['a long length', request([HOST, KEY, JSON_TYPE, 'Content-Length: 999999'])],
    ['more than its body', request(PLAIN, `${BODY}x`)],
    ['a request behind it', Buffer.concat([request(PLAIN), request(PLAIN)])],
    ['a length twice', request([...PLAIN, LENGTH])],
    ['a Host twice', request([...PLAIN, HOST])],
    ['a key twice', request([...PLAIN, KEY])],
    [
      'X-Forwarded-For twice',
      request([...PLAIN, 'X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2']),
    ],
    ['traceparent twice', request([...PLAIN, 'traceparent: 00-a', 'traceparent: 00-b'])],
    ['Transfer-Encoding', request([...PLAIN, 'Transfer-Encoding: chunked'])],
    ['Expect', request([...PLAIN, 'Expect: 100-continue'])],
    ['Upgrade', request([...PLAIN, 'Upgrade: h2c'])],
    ['Origin', request([...PLAIN, 'Origin: https://app.example.com'])],
    ['Content-Encoding', request([...PLAIN, 'Content-Encoding: gzip'])],
    ['Connection: close', request([...PLAIN, 'Connection: close'])],
    ['a space before the colon', request([...PLAIN, 'X-A : b'])],
    ['a folded line', request([...PLAIN, 'X-A: b', ' c'])],
    ['a line without a colon', request([...PLAIN, 'X-A'])],
    ['a bare LF', request([...PLAIN, 'X-A: b\nX-B: c'])],
    ['a bare CR', request([...PLAIN, 'X-A: b\rc'])],
    ['NUL', request([...PLAIN, 'X-A: b\0c'])],
    ['a byte above ASCII', request([...PLAIN, 'X-A: \u00e9'])],
    ['an Idempotency-Key with a space', request([...PLAIN, 'Idempotency-Key: a b'])],
    ['a head without end', Buffer.from(`POST /publish HTTP/1.1\r\nX-A: ${'a'.repeat(9000)}`)],
    ['many lines', request([...PLAIN, ...Array.from({ length: 64 }, (_, i) => `X-${i}: a`)])],
    ['something that is not HTTP', Buffer.from('\x16\x03\x01\x02')],
  ])('%s', (_name, bytes) => {
    expect(readPlainPublish(bytes)).toBe('unusual');
  });
});

describe("beside Node's own parser", () => {
  interface Seen {
    readonly url: string | undefined;
    readonly headers: IncomingMessage['headers'];
    readonly body: string;
  }
  let seen: Seen[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      seen.push({
        url: incoming.url,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('latin1'),
      });
      response.end();
    });
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  /** The request that Node reads from these bytes, and the request after it. */
  async function understood(bytes: Buffer): Promise<readonly Seen[]> {
    seen = [];
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(
      Buffer.concat([bytes, Buffer.from('GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')]),
    );
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    return seen;
  }

  const line = fc.oneof(
    fc.constantFrom(
      ...PLAIN,
      'Transfer-Encoding: chunked',
      'Transfer-Encoding:\tchunked',
      'Connection: keep-alive',
    ),
    fc.constantFrom(
      'Content-Length: 3',
      'Content-Length : 3',
      'content-length:29',
      'X: a\r',
      'X: a\n',
      ' folded',
      'Idempotency-Key: k',
      'X-Forwarded-For: 192.0.2.1 ,\t192.0.2.2',
      'Traceparent: 00-a-b-01',
    ),
    fc.string({ maxLength: 12, unit: 'binary-ascii' }),
    fc
      .tuple(fc.constantFrom('X-A', 'Host', 'Trailer', 'Expect'), fc.string({ maxLength: 8 }))
      .map((pair) => pair.join(': ')),
  );
  const bytes = fc
    .tuple(
      fc.constantFrom('POST /publish HTTP/1.1', 'POST /publish/news HTTP/1.1', 'POST /publish\tHTTP/1.1'),
      fc.array(line, { maxLength: 4 }),
      fc.constantFrom(BODY, '', `${BODY}x`, '0\r\n\r\n'),
    )
    .map(([start, lines, body]) => request([...PLAIN, ...lines], body, start));

  test('a plain publish is exactly the one request that Node sees', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(bytes, async (input) => {
        const read = readPlainPublish(input);
        if (typeof read === 'string') return;
        taken++;
        const [first, last, ...more] = await understood(input);
        expect(more).toEqual([]);
        expect(last?.url).toBe('/last');
        expect(first?.url).toMatch(/^\/publish(?:\/news)?$/);
        expect(first?.headers.authorization).toBe(`Bearer ${read.head.credential}`);
        expect(first?.headers['idempotency-key']).toBe(read.head.idempotencyKey);
        expect(first?.headers['x-forwarded-for']).toBe(read.head.forwardedFor);
        expect(first?.headers['traceparent']).toBe(read.head.traceparent);
        expect(first?.body).toHaveLength(read.head.bodyLength);
        expect(first?.body).toBe(input.toString('latin1', input.indexOf('\r\n\r\n') + 4));
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(20);
  });
});
