import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { openHttp2Stream, openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';
import { readClosing } from '../../support/closing.ts';

const authority = createAuthority();
const identity = authority.issue();

let broker: Broker;
let session: ClientHttp2Session;
beforeAll(() => trustAuthority(authority));
afterEach(async () => {
  session.destroy();
  await broker.kill();
});

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  broker = await startBroker({ SLUICE_TLS_CERT: identity.cert, SLUICE_TLS_KEY: identity.key, ...env });
  session = connect(broker.url);
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Promise<Answer> {
  const head = { ':method': method, ':path': path, ...headers };
  const stream = session.request(head, { endStream: body === '' });
  if (body !== '') stream.end(body);
  const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return { status: Number(answer[':status']), headers: answer, body: text };
}

const none = (): Record<string, string> => ({});
const plain = (): Record<string, string> => ({ ...bearer(), 'content-type': 'text/plain' });
const connections = async (): Promise<string> =>
  /^sluice_connections (\d+)$/m.exec((await ask('GET', '/metrics')).body)?.[1] ?? '';
const bearer = (): Record<string, string> => ({ authorization: `Bearer ${broker.key}` });

describe('a stream', () => {
  test('shares a connection with other streams, and gets every event in order', async () => {
    await start();
    const streams: SseStream[] = [];
    for (let i = 0; i < 20; i++) streams.push(await openHttp2Stream(session, `/events/news.${i % 2}`));
    await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
    const ids: string[][] = [[], []];
    for (let n = 0; n < 100; n++) ids[n % 2]?.push(await broker.publish(`news.${n % 2}`, n));
    for (const [i, stream] of streams.entries()) {
      await stream.when(({ events }) => events.length === 51);
      expect(stream.events.slice(1).map(({ id }) => id)).toEqual(ids[i % 2]);
    }
  });

  test('of many channels gets the events of all of them, beside others over HTTP/2 and HTTP/1.1', async () => {
    await start();
    const paths = ['/events?channel=a&channel=b', '/events?channel=b&channel=c'];
    const streams = await Promise.all([
      ...paths.map((path) => openHttp2Stream(session, path)),
      openStream(`${broker.url}/events?channel=c&channel=a`),
    ]);
    for (const stream of streams) await stream.until('sluice:ready');
    for (const name of ['a', 'b', 'c']) await broker.publish(name, `${name} ž 🐎`);
    const data = await Promise.all(
      streams.map(async (stream) => [(await stream.next()).data, (await stream.next()).data]),
    );
    for (const stream of streams) stream.close();
    expect(data).toEqual([
      ['a ž 🐎', 'b ž 🐎'],
      ['b ž 🐎', 'c ž 🐎'],
      ['a ž 🐎', 'c ž 🐎'],
    ]);
  });

  test('has the same head as over HTTP/1.1, without the headers of a connection', async () => {
    await start({ SLUICE_CORS_ORIGINS: 'https://app.example' });
    const stream = await openHttp2Stream(session, '/events/news', {
      headers: { origin: 'https://app.example' },
    });
    expect(stream.status).toBe(200);
    const { date, ...head } = Object.fromEntries(Object.entries(stream.headers));
    expect(Date.parse(String(date))).toBeGreaterThan(0);
    expect(head).toEqual({
      ':status': 200,
      'content-type': 'text/event-stream; charset=utf-8',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers':
        'Retry-After, RateLimit, RateLimit-Policy, Idempotent-Replayed, Sluice-Position, ETag',
      vary: 'Origin, Accept-Encoding',
    });
    await stream.until('sluice:ready');
    expect(stream.text).toMatch(/^retry: \d+\n:\nid: 0-0\n/);
  });

  test('is resumed after the last event, however many were missed', async () => {
    await start();
    const ids: string[] = [];
    for (let n = 0; n < 30; n++) ids.push(await broker.publish('news', `${n} ${'x'.repeat(50_000)}`));
    const stream = await openHttp2Stream(session, '/events/news', {
      headers: { 'last-event-id': ids[4] as string },
    });
    const missed = await stream.until('sluice:ready');
    expect(missed.map(({ id }) => id)).toEqual([...ids.slice(5), ids[29]]);
    expect(missed[0]?.data).toBe(`5 ${'x'.repeat(50_000)}`);
  });

  test('is closed when its client leaves, alone or with the connection', async () => {
    await start();
    const one = await openHttp2Stream(session, '/events/news');
    const two = await openHttp2Stream(session, '/events/news');
    await expect.poll(connections).toBe('2');
    one.close();
    await expect.poll(connections).toBe('1');
    session.destroy();
    await two.ended;
    session = connect(broker.url);
    await expect.poll(connections).toBe('0');
  });

  test('is answered with 200 and a sluice:closing when it cannot be served now, and only that stream ends', async () => {
    await start({ SLUICE_MAX_CONNECTIONS: '1' });
    const first = await openHttp2Stream(session, '/events/news');
    const second = await openHttp2Stream(session, '/events/news');
    await second.ended;
    expect([second.status, readClosing(second.text).reason, second.retries.length]).toEqual([
      200,
      'limit',
      1,
    ]);
    const id = await broker.publish('news', 'x');
    await first.until('sluice:ready');
    expect(await first.next()).toMatchObject({ id });
    expect(broker.log().filter((line) => line.includes('Warning'))).toEqual([]);
  });
});

describe('a request', () => {
  test('publishes JSON or raw data, and once with an Idempotency-Key', async () => {
    await start();
    const json = { ...bearer(), 'content-type': 'application/json', 'idempotency-key': 'one' };
    const body = JSON.stringify({ channel: 'news', data: { n: 1 } });
    const first = await ask('POST', '/publish', json, body);
    expect([first.status, first.headers['content-type']]).toEqual([200, 'application/json']);
    const again = await ask('POST', '/publish', json, body);
    expect([again.status, again.headers['idempotent-replayed'], again.body]).toEqual([
      200,
      'true',
      first.body,
    ]);
    const raw = await ask('POST', '/publish/news?event=created', bearer(), 'a\nb');
    expect(raw.status).toBe(200);
    const stream = await openHttp2Stream(session, '/events/news?last=2');
    const events = await stream.until('sluice:ready');
    expect(events.slice(0, 2).map(({ event, data }) => [event, data])).toEqual([
      [undefined, '{"n":1}'],
      ['created', 'a\nb'],
    ]);
  });

  test.each([
    ['GET', '/nothing', none, '', 404, 'not-found'],
    ['DELETE', '/events/news', none, '', 405, 'method-not-allowed'],
    ['GET', '/events/a%20b', none, '', 400, 'invalid-channel'],
    ['GET', '/events/%ff', none, '', 400, 'bad-request'],
    ['POST', '/publish/news', none, 'x', 401, 'unauthorized'],
    ['POST', '/publish/news', bearer, 'x'.repeat(2_000), 413, 'body-too-large'],
    ['POST', '/publish', plain, '{}', 415, 'unsupported-media-type'],
  ])('%s %s is refused with a problem document', async (method, path, headers, body, status, code) => {
    await start({ SLUICE_MAX_BODY_BYTES: '1000', SLUICE_CORS_ORIGINS: 'https://app.example' });
    const given = { origin: 'https://app.example', ...headers() };
    const answer = await ask(method, path, given, body);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(JSON.parse(answer.body)).toMatchObject({ type: `urn:sluice:problem:${code}`, status });
    // The connection goes on.
    expect((await ask('GET', '/livez')).status).toBe(200);
  });

  test('HEAD and a preflight are answered at once, without a body', async () => {
    await start({ SLUICE_CORS_ORIGINS: 'https://app.example' });
    const head = await ask('HEAD', '/events/news');
    expect([head.status, head.headers['content-type'], head.body]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      '',
    ]);
    const preflight = await ask('OPTIONS', '/publish', {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://app.example');
    expect(preflight.headers['access-control-allow-headers']).toBe('authorization');
  });

  test('the console is served, and no answer has a header that HTTP/2 forbids', async () => {
    await start();
    const page = await ask('GET', '/');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.connection).toBeUndefined();
    expect(broker.log().filter((line) => line.includes('Warning'))).toEqual([]);
  });
});

describe('SIGTERM', () => {
  test('sends GOAWAY, ends each stream after a whole event, and exits', async () => {
    await start({ SLUICE_DRAIN_WINDOW: '2s' });
    const streams: SseStream[] = [];
    for (let i = 0; i < 4; i++) streams.push(await openHttp2Stream(session, '/events/news'));
    await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
    const closed = once(session, 'close');
    const goaway = once(session, 'goaway');
    const exit = broker.stop();
    await goaway;
    expect(streams.filter(({ text }) => !text.includes('sluice:closing')).length).toBeGreaterThan(0);

    const late = connect(broker.url);
    const refused = await openHttp2Stream(late, '/events/news');
    await refused.ended;
    expect([refused.status, readClosing(refused.text).reason]).toEqual([200, 'draining']);
    expect(refused.retries[0]).toBeGreaterThanOrEqual(5_000);

    const id = await broker.publish('news', 'during the drain');
    expect(await exit).toEqual({ code: 0, signal: null });
    await closed;
    for (const stream of streams) {
      await stream.ended;
      expect(readClosing(stream.text).reason).toBe('draining');
      expect(stream.retries).toHaveLength(2);
    }
    expect(streams.some(({ events }) => events.at(-1)?.id === id)).toBe(true);
    late.destroy();
  });

  test('does not wait for a client that reads nothing', async () => {
    await start({ SLUICE_DRAIN_WINDOW: '100ms' });
    const stream = await openHttp2Stream(session, '/events/news');
    await stream.until('sluice:ready');
    stream.pause();
    for (let n = 0; n < 10; n++) await broker.publish('news', 'x'.repeat(100_000));
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
  });
});
