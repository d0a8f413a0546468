import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPlainSubscribe } from '../../../src/routes/plain-subscribe.ts';
import type { PlainSubscribe } from '../../../src/routes/plain-subscribe.ts';

const HOST = 'Host: broker.test';

function request(target: string, lines: readonly string[] = [HOST], behind = ''): Buffer {
  return Buffer.from([`GET ${target} HTTP/1.1`, ...lines, '', behind].join('\r\n'), 'latin1');
}

function plain(bytes: Buffer): PlainSubscribe {
  const result = readPlainSubscribe(bytes);
  if (typeof result === 'string') throw new Error(`${result}: ${bytes.toString('latin1')}`);
  return result;
}

test('a whole request is read, with any other headers', () => {
  const bytes = request('/events/a.b~c:1?last=10&plain&token=e.y-_', [
    'Host: a',
    'Accept: text/event-stream',
    'accept: */*',
    'Authorization: Bearer t',
    'Cookie: a=b; c=d',
    'ORIGIN: https://a.example',
    'Last-Event-ID:  1-0\t',
    'Sec-Fetch-Site: same-origin',
    'X-Forwarded-For: 192.0.2.1, 192.0.2.2',
    'Connection: Keep-Alive',
  ]);
  expect(plain(bytes)).toEqual({
    head: bytes.toString('latin1').slice(0, -4),
    channel: 'a.b~c:1',
    query: { last: '10', plain: '', token: 'e.y-_' },
    headers: {
      authorization: 'Bearer t',
      cookie: 'a=b; c=d',
      host: 'a',
      origin: 'https://a.example',
      'last-event-id': '1-0',
      'sec-fetch-site': 'same-origin',
    },
    forwardedFor: '192.0.2.1, 192.0.2.2',
  });
});

test('a client names parameters as it likes', () => {
  const { query } = plain(request('/events/a?__proto__=1&constructor'));
  expect(Object.entries(query)).toEqual([
    ['__proto__', '1'],
    ['constructor', ''],
  ]);
});

test('a request is incomplete at every byte before the last, and each byte is searched once', () => {
  const bytes = request('/events/news?last=1');
  const progress = { searched: 0 };
  for (let length = 0; length < bytes.length; length++)
    expect(readPlainSubscribe(bytes.subarray(0, length), undefined, progress)).toBe('incomplete');
  expect(progress.searched).toBeGreaterThan(bytes.length - 5);
  expect(readPlainSubscribe(bytes, undefined, progress)).toMatchObject({ channel: 'news' });
});

describe('a request is unusual with', () => {
  test.each([
    ['another method', Buffer.from('HEAD /events/news HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['another version', Buffer.from('GET /events/news HTTP/1.0\r\nHost: a\r\n\r\n')],
    ['a bare LF in the request line', Buffer.from('GET /events/news HTTP/1.1\nHost: a\r\n\r\n')],
    ['two spaces', request(' /events/news')],
    ['another path', request('/event/news')],
    ['a path below', request('/events/news/')],
    ['many channels', request('/events?channel=a')],
    ['no name', request('/events/')],
    ['a long name', request(`/events/${'a'.repeat(201)}`)],
    ['a percent sign in the path', request('/events/n%65ws')],
    ['a percent sign in the query', request('/events/news?last=%31')],
    ['a plus sign in the query', request('/events/news?since=a+b')],
    ['a fragment', request('/events/news#a')],
    ['an empty query', request('/events/news?')],
    ['an empty parameter', request('/events/news?last=1&')],
    ['a parameter without a name', request('/events/news?=1')],
    ['a parameter twice', request('/events/news?last=1&last=2')],
    ['two equals signs', request('/events/news?last=1=2')],
    ['no Host', request('/events/news', ['Accept: */*'])],
    ['no fields', Buffer.from('GET /events/news HTTP/1.1\r\n\r\n')],
    ['a Host twice', request('/events/news', [HOST, HOST])],
    ['a cookie twice', request('/events/news', [HOST, 'Cookie: a=b', 'Cookie: c=d'])],
    ['Last-Event-ID twice', request('/events/news', [HOST, 'Last-Event-ID: 1-0', 'last-event-id: 2-0'])],
    ['a length', request('/events/news', [HOST, 'Content-Length: 0'])],
    ['Transfer-Encoding', request('/events/news', [HOST, 'Transfer-Encoding: chunked'])],
    ['Expect', request('/events/news', [HOST, 'Expect: 100-continue'])],
    ['Upgrade', request('/events/news', [HOST, 'Connection: Upgrade', 'Upgrade: h2c'])],
    ['an option of the connection', request('/events/news', [HOST, 'Connection: keep-alive, x'])],
    ['a space before the colon', request('/events/news', [HOST, 'X-A : b'])],
    ['a folded line', request('/events/news', [HOST, 'X-A: b', ' c'])],
    ['a line without a colon', request('/events/news', [HOST, 'X-A'])],
    ['a bare CR', request('/events/news', [HOST, 'X-A: b\rc'])],
    ['a bare LF', request('/events/news', [HOST, 'X-A: b\nX-B: c'])],
    ['NUL', request('/events/news', [HOST, 'X-A: b\0c'])],
    ['a byte above ASCII', request('/events/news', [HOST, 'X-A: \u00e9'])],
    ['something behind it', request('/events/news', [HOST], 'x')],
    ['a request behind it', Buffer.concat([request('/events/news'), request('/livez')])],
    ['a head without end', Buffer.from(`GET /events/news HTTP/1.1\r\nX-A: ${'a'.repeat(9_000)}`)],
    ['many lines', request('/events/news', [HOST, ...Array.from({ length: 64 }, (_, i) => `X-${i}: a`)])],
  ])('%s', (_name, bytes) => {
    expect(readPlainSubscribe(bytes)).toBe('unusual');
  });

  test('more bytes than the limit', () => {
    const bytes = request('/events/news');
    expect(readPlainSubscribe(bytes, bytes.length - 4)).toMatchObject({ channel: 'news' });
    expect(readPlainSubscribe(bytes, bytes.length - 5)).toBe('unusual');
  });
});

describe("beside Node's own parser", () => {
  let seen: IncomingMessage[] = [];
  const server = createServer((incoming, response) => {
    seen.push(incoming);
    incoming.resume();
    response.end();
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => void server.close());

  /** The requests that Node reads from these bytes and from the request behind them. */
  async function understood(bytes: Buffer): Promise<readonly IncomingMessage[]> {
    seen = [];
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.end(Buffer.concat([bytes, request('/last', [HOST, 'Connection: close'])]));
    socket.on('error', () => undefined).resume();
    await once(socket, 'close');
    return seen;
  }

  const line = fc.oneof(
    fc.constantFrom(
      'Cookie: a=b',
      'Cookie:a=b;  c ',
      'Last-Event-ID: \t1-0 ',
      'Authorization: Bearer  x ',
      'Origin: null',
      'Connection: keep-alive',
      'X-Forwarded-For: 192.0.2.1 ,\t192.0.2.2',
      'Content-Length : 3',
      'Transfer-Encoding:\tchunked',
      'X: a\r',
      'X: a\n',
      ' folded',
    ),
    fc.string({ maxLength: 12, unit: 'binary-ascii' }),
    fc
      .tuple(fc.constantFrom('X-A', 'Host', 'Origin', 'Cookie'), fc.string({ maxLength: 8 }))
      .map((pair) => pair.join(': ')),
  );
  const target = fc.oneof(
    fc.constantFrom('/events/news', '/events/a~b:c', '/events/news?last=1', '/events/news\t'),
    fc.string({ maxLength: 8 }).map((text) => `/events/news?${text}`),
  );
  const bytes = fc
    .tuple(target, fc.array(line, { maxLength: 4 }))
    .map(([path, lines]) => request(path, [HOST, ...lines]));

  test('a plain subscription is exactly the one request that Node sees', async () => {
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(bytes, async (input) => {
        const read = readPlainSubscribe(input);
        if (typeof read === 'string') return;
        taken++;
        const [first, last, ...more] = await understood(input);
        expect(more).toEqual([]);
        expect(last?.url).toBe('/last');
        const url = new URL(first?.url ?? '', 'http://broker.test');
        expect(url.pathname).toBe(`/events/${read.channel}`);
        // An object lists names that are numbers first.
        expect(new Map(Object.entries(read.query))).toEqual(new Map(url.searchParams));
        expect(Object.keys(read.query)).toHaveLength(url.searchParams.size);
        for (const [name, value] of Object.entries(read.headers)) expect(first?.headers[name]).toBe(value);
        expect(first?.headers['x-forwarded-for']).toBe(read.forwardedFor);
      }),
      { numRuns: 2_000 },
    );
    expect(taken).toBeGreaterThan(20);
  });
});
