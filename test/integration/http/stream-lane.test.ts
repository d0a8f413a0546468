import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPlainSubscribe } from '../../../src/routes/plain-subscribe.ts';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, readChunks, requestBytes } from '../../support/raw-http.ts';
import type { RawRequest } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';

/** A plain subscription is answered without the HTTP server, and exactly as by the HTTP server. */

const SECRET = 'a-secret-of-thirty-two-characters';
const TOKEN = signToken({ exp: inSeconds(600), sluice: { subscribe: ['*'] } }, SECRET);
const OTHER = signToken({ exp: inSeconds(600), sluice: { subscribe: ['other'] } }, SECRET);
/** A request with this header goes to the HTTP server. */
const UNUSUAL = 'TE: trailers';

let broker: Broker;
let ids: readonly string[];
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'news,ended,open.*',
    SLUICE_CORS_ORIGINS: 'https://app.example.com,https://*.example.org',
    SLUICE_HEADERS: '{"Timing-Allow-Origin":"*","Permissions-Policy":"geolocation=()"}',
    SLUICE_TRUSTED_PROXIES: '127.0.0.1',
    SLUICE_MAX_CONNECTIONS_PER_IP: '500',
    SLUICE_HEARTBEAT: '1h',
  });
  ids = [];
  for (const data of ['a', 'b', 'c']) ids = [...ids, await broker.publish('news', data)];
  await broker.publish('private', 'p');
  // From then on the broker remembers the tokens.
  for (const token of [TOKEN, OTHER]) await answerOf({ path: `/events/other?token=${token}&wait=0s` });
});
afterAll(() => broker.kill());

/** Head and body, without what differs between any two answers. A stream is read up to `sluice:ready`, or up to its end. */
async function answerOf(asked: RawRequest): Promise<string> {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes(asked));
  await connection.until('\r\n\r\n');
  const [head = ''] = connection.text.split('\r\n\r\n');
  let body = '';
  if (head.includes('content-encoding: gzip')) {
    // These texts are stored in the compressed body as they are.
    await connection.until('event: sluice:ready');
  } else if (head.includes('text/event-stream')) {
    const ready = connection.until('event: sluice:ready').then(() => connection.until('}}\n\n\r\n'));
    await Promise.race([connection.ended, ready]);
    body = readChunks(connection.text);
  } else ({ body } = await connection.answer());
  connection.close();
  return `${head.replace(/(?<=^date: ).*$/im, '')}\n${body.replace(/(?<=^retry: )\d+/gm, '')}`;
}

/** The same request, answered by the HTTP server. */
function unusual(asked: RawRequest): RawRequest {
  return { ...asked, headers: [...(asked.headers ?? []), UNUSUAL] };
}

describe('both ways give the same answer to', () => {
  test.each<[string, string, readonly string[]]>([
    ['a plain request', '/events/news', []],
    ['an EventSource', '/events/news', ['Accept: text/event-stream', 'Cache-Control: no-cache']],
    ['a reader that takes it compressed', '/events/news', ['Accept-Encoding: gzip, deflate, br, zstd']],
    ['a listed origin', '/events/news', ['Origin: https://app.example.com']],
    ['an origin that a pattern lists', '/events/news', ['Origin: https://a.b.example.org']],
    ['another origin', '/events/news', ['Origin: https://elsewhere.example']],
    ['a client that closes', '/events/news', ['Connection: close']],
    ['a reader behind a proxy', '/events/news', ['X-Forwarded-For: 192.0.2.1, 198.51.100.2']],
    ['a bearer token', '/events/private', [`Authorization: Bearer ${TOKEN}`]],
    ['a token in the query', `/events/private?last=1&token=${TOKEN}`, []],
    ['a cookie', '/events/private', [`Cookie: a=b; sluice_token=${TOKEN}`]],
    [
      'a cookie from another site',
      '/events/private',
      [`Cookie: sluice_token=${TOKEN}`, 'Origin: https://elsewhere.example'],
    ],
    ['a token for another channel', '/events/private', [`Authorization: Bearer ${OTHER}`]],
    ['no token', '/events/private', []],
    ['a wrong token', '/events/private?token=wrong', []],
    ['an unreadable cursor', '/events/news', ['Last-Event-ID: x']],
    ['an empty cursor', '/events/news', ['Last-Event-ID:']],
    ['a cursor that is gone', '/events/news?last_event_id=0-1', []],
    ['a start from the earliest', '/events/news?last-event-id=earliest', []],
    ['the last events', '/events/news?last=2', []],
    ['a time', '/events/news?since=2026-01-31T12:00:00Z', []],
    ['the state', '/events/news?state', []],
    ['a wrong start', '/events/news?last=x', []],
    ['a heartbeat', '/events/news?heartbeat=event', []],
    ['a wrong heartbeat', '/events/news?heartbeat=0s', []],
    ['a stream that ends', '/events/news?last=1&wait=0s', []],
    ['a plain stream of a cleared past', '/events/news?plain&last_event_id=0-1', []],
    ['an active channel', '/events/news?only=active', []],
    ['no active channel', '/events/open.never?only=active', []],
    ['a dot segment', '/events/..', []],
  ])('%s', async (_to, path, headers) => {
    const asked = { path, headers };
    expect(readPlainSubscribe(requestBytes(asked))).not.toBeTypeOf('string');
    expect(readPlainSubscribe(requestBytes(unusual(asked)))).toBe('unusual');
    expect(await answerOf(asked)).toBe(await answerOf(unusual(asked)));
  });

  test('a resumed reader', async () => {
    const asked = { path: '/events/news', headers: [`Last-Event-ID: ${ids[0]}`] };
    const answer = await answerOf(asked);
    expect(answer).toContain(`id: ${ids[1]}\ndata: b\n\nid: ${ids[2]}\ndata: c\n\n`);
    expect(await answerOf(unusual(asked))).toBe(answer);
  });

  test('a reader that has seen the end', async () => {
    const publication = { channel: 'ended', data: 'x', close: true };
    const published = await fetch(`${broker.url}/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(publication),
    });
    const { id } = (await published.json()) as { readonly id: string };
    const asked = { path: '/events/ended', headers: [`Last-Event-ID: ${id}`, 'Connection: close'] };
    const answer = await answerOf(asked);
    expect(answer).toMatch(/^HTTP\/1\.1 204 /);
    expect(await answerOf(unusual(asked))).toBe(answer);
  });
});

test('a request in pieces opens one stream, which is counted', async () => {
  const before = await readMetrics(broker.url);
  const connection = await openRaw(broker.port);
  for (const byte of requestBytes({ path: '/events/news', headers: ['Accept: */*'] }))
    connection.send(Buffer.of(byte));
  await connection.until('sluice:ready');
  const after = await readMetrics(broker.url);
  const opened = 'sluice_connections_opened_total';
  expect((after.get(opened) ?? 0) - (before.get(opened) ?? 0)).toBe(1);
  connection.close();
});

test('what a reader sends into its stream is dropped, and its FIN ends the stream', async () => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ path: '/events/open.dropped' }));
  await connection.until('sluice:ready');
  connection.send(requestBytes({ path: '/livez' }));
  connection.send('x'.repeat(100_000));
  const id = await broker.publish('open.dropped', 'hello');
  await connection.until(`id: ${id}\n`);
  expect(connection.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  connection.finish();
  await connection.ended;
  connection.close();
});
