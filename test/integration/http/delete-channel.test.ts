import { once } from 'node:events';
import { connect } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { endChannel } from '../../support/end-channel.ts';
import { openRedisLog } from '../../support/open-redis-log.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openHttp2Stream, openStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const ORIGIN = 'https://app.example.com';

const authority = createAuthority();
const identity = authority.issue();

let redis: RedisServer;
let embedded: Broker;
let replicas: [Broker, Broker];
beforeAll(async () => {
  trustAuthority(authority);
  redis = await startRedis();
  const env = { SLUICE_JWT_SECRET: SECRET, SLUICE_CORS_ORIGINS: ORIGIN, SLUICE_PUBLIC_CHANNELS: '*' };
  const [one, two, three] = await Promise.all([
    startBroker(env),
    startBroker({ ...env, REDIS_URL: redis.url }),
    startBroker({ ...env, REDIS_URL: redis.url }),
  ]);
  embedded = one;
  replicas = [two, three];
});
afterAll(async () => {
  await Promise.all([embedded, ...replicas].map((broker) => broker.kill()));
  await redis.stop();
});

async function remove(
  broker: Broker,
  channel: string,
  headers: readonly string[] = [`Authorization: Bearer ${broker.key}`],
): Promise<RawAnswer> {
  return await exchange(broker.port, { method: 'DELETE', path: `/channels/${channel}`, headers });
}

const token = (grants: object): string => signToken({ exp: inSeconds(60), sluice: grants }, SECRET);

let count = 0;
const fresh = (): string => `orders.${++count}`;

describe.each([
  ['with the embedded log', () => [embedded, embedded] as const],
  ['with Redis, on two replicas', () => replicas],
])('DELETE /channels/:channel %s', (_log, brokers) => {
  test('deletes the events; live streams stay and get sluice:cleared', async () => {
    const [one, two] = brokers();
    const channel = fresh();
    const ids = [await one.publish(channel, 'a'), await two.publish(channel, 'b')];
    const streams = await Promise.all(
      [one, two].map(({ url }) => openStream(`${url}/events/${channel}?last_event_id=earliest`)),
    );
    for (const stream of streams) await stream.until('sluice:ready');
    const answer = await remove(one, channel);
    expect([answer.status, answer.body]).toEqual([204, '']);
    const next = await two.publish(channel, 'c');
    let cleared = '';
    for (const stream of streams) {
      const event = await stream.next();
      expect(event).toMatchObject({ event: 'sluice:cleared', data: `{"channel":"${channel}"}` });
      expect(await stream.next()).toMatchObject({ id: next, data: 'c' });
      cleared = event.id ?? '';
    }
    for (const [cursor, after] of [
      ['earliest', null],
      [ids[0], ids[0]],
    ] as const) {
      for (const { url } of [one, two]) {
        const late = await openStream(`${url}/events/${channel}`, {
          headers: { 'last-event-id': cursor ?? '' },
        });
        await late.until('sluice:ready');
        expect(late.events.map(({ event, id, data }) => [event ?? data, id]).slice(1, 3)).toEqual([
          ['sluice:cleared', cleared],
          ['c', next],
        ]);
        expect(JSON.parse(late.events[0]?.data ?? '')).toEqual({ channel, after, before: cleared });
        late.close();
      }
    }
    for (const stream of streams) stream.close();
  });

  test('is a 404 where there is nothing to delete, also for the second time', async () => {
    const [one, two] = brokers();
    const channel = fresh();
    expect(readProblem(await remove(one, channel), 404).code).toBe('not-found');
    await one.publish(channel, 'a');
    expect((await remove(two, channel)).status).toBe(204);
    expect(readProblem(await remove(one, channel), 404).code).toBe('not-found');
    await two.publish(channel, 'b');
    expect((await remove(one, channel)).status).toBe(204);
  });

  test('makes the channel inactive', async () => {
    const [one, two] = brokers();
    const channel = fresh();
    await one.publish(channel, 'a');
    await remove(two, channel);
    for (const broker of [one, two])
      expect((await fetch(`${broker.url}/events/${channel}?only=active`)).status).toBe(204);
  });
});

test('the channel is open again when it had ended', async () => {
  const [one, two] = replicas;
  const channel = fresh();
  const log = await openRedisLog({ url: redis.url, prefix: 'sluice:', idempotencyTtl: 60_000 });
  const end = await endChannel(log, channel, ['last']);
  await log.close();
  expect((await remove(one, channel)).status).toBe(204);
  const stream = await openStream(`${two.url}/events/${channel}`, { headers: { 'last-event-id': end } });
  expect((await stream.until('sluice:ready')).map(({ event }) => event)).toEqual([
    'sluice:cleared',
    'sluice:ready',
  ]);
  const id = await one.publish(channel, 'again');
  expect(await stream.next()).toMatchObject({ id, data: 'again' });
  stream.close();
});

test('of many channels on one connection, one is cleared', async () => {
  const [a, b] = [fresh(), fresh()];
  await embedded.publish(a, 'a');
  const stream = await openStream(`${embedded.url}/events?channel=${a}&channel=${b}`);
  await stream.until('sluice:ready');
  await remove(embedded, a);
  const { id, ...event } = await stream.next();
  expect(event).toEqual({ event: 'sluice:cleared', data: `{"channel":"${a}"}` });
  expect(id).toMatch(new RegExp(`^${a}@\\d+-\\d+,~`));
  stream.close();
});

test('over HTTP/2', async () => {
  const broker = await startBroker({ SLUICE_TLS_CERT: identity.cert, SLUICE_TLS_KEY: identity.key });
  const session = connect(broker.url);
  try {
    await broker.publish('news', 'x');
    const head = { ':method': 'DELETE', ':path': '/channels/news', authorization: `Bearer ${broker.key}` };
    const request = session.request(head);
    const [answer] = (await once(request, 'response')) as [IncomingHttpHeaders];
    expect(Number(answer[':status'])).toBe(204);
    const stream = await openHttp2Stream(session, '/events/news?last_event_id=earliest');
    await stream.until('sluice:cleared');
  } finally {
    session.destroy();
    await broker.kill();
  }
});

describe('who may delete', () => {
  test.each([
    ['nobody without a credential', [], 401],
    ['nobody with a wrong key', ['Authorization: Bearer wrong'], 401],
    ['no token that only subscribes', [`Authorization: Bearer ${token({ subscribe: ['*'] })}`], 403],
    ['no token that publishes elsewhere', [`Authorization: Bearer ${token({ publish: ['other'] })}`], 403],
    ['a token that may publish there', [`Authorization: Bearer ${token({ publish: ['orders.*'] })}`], 204],
  ])('%s', async (_who, headers, status) => {
    const channel = fresh();
    await embedded.publish(channel, 'x');
    const answer = await remove(embedded, channel, headers);
    expect(answer.status).toBe(status);
  });

  test('a page of a listed origin, after a preflight', async () => {
    const headers = [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: DELETE'];
    const preflight = await exchange(embedded.port, { method: 'OPTIONS', path: '/channels/news', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.header('access-control-allow-methods')).toContain('DELETE');
    const channel = fresh();
    await embedded.publish(channel, 'x');
    const answer = await remove(embedded, channel, [
      `Origin: ${ORIGIN}`,
      `Authorization: Bearer ${embedded.key}`,
    ]);
    expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([204, ORIGIN]);
  });
});

test.each([
  ['a name that is no channel', 'a%20b', 400, 'invalid-channel'],
  ['a path without a channel', '', 400, 'invalid-channel'],
])('%s is refused', async (_what, channel, status, code) => {
  expect(readProblem(await remove(embedded, channel), status).code).toBe(code);
});

test('the body means nothing, whatever its type', async () => {
  for (const type of ['application/json', 'text/plain', 'what/ever']) {
    const channel = fresh();
    await embedded.publish(channel, 'x');
    const answer = await fetch(`${embedded.url}/channels/${channel}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${embedded.key}`, 'content-type': type },
      body: type === 'text/plain' ? 'x' : null,
    });
    expect(answer.status).toBe(204);
  }
});

test('a request counts as one publish', async () => {
  const broker = await startBroker({ SLUICE_PUBLISH_RATE_PER_KEY: '2/h' });
  try {
    await broker.publish('news', 'x');
    const answer = await remove(broker, 'news');
    expect([answer.status, answer.header('ratelimit')]).toEqual([204, expect.stringContaining('r=0')]);
    expect(readProblem(await remove(broker, 'news'), 429).code).toBe('too-many-requests');
  } finally {
    await broker.kill();
  }
});

test('the answer is a 503 while Redis is away', async () => {
  const away = await startRedis();
  const broker = await startBroker({ REDIS_URL: away.url });
  try {
    await broker.publish('news', 'x');
    await away.kill();
    const answer = await remove(broker, 'news');
    expect(readProblem(answer, 503).code).toBe('log-unavailable');
    expect(answer.header('retry-after')).toBe('1');
  } finally {
    await broker.kill();
    await away.stop();
  }
});
