import { SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ControlGroup } from '../support/control-group.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { exchange } from '../support/raw-http.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { readProblem } from '../support/read-problem.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';

const HOUR = 3_600_000;
const SECRET = 'a secret of more than thirty-two bytes';
const ORDERS = parseChannelName('orders');

let redis: RedisServer;
let group: ControlGroup;
let servers: Broker[];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  group = new ControlGroup(redis.url);
  servers = await Promise.all([start(), start()]);
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  await group.close();
});

async function start(): Promise<Broker> {
  const broker = await startBroker({
    REDIS_URL: redis.url,
    SLUICE_REDIS_PREFIX: group.prefix,
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: '*',
    SLUICE_REVOCATION_TTL: '1h',
  });
  // A replica asks the others only after it can hear their answers.
  await expect.poll(async () => (await post(broker, { channel: 'nobody-listens' })).status).toBe(200);
  return broker;
}

/** Makes a token. The subject `-` stands for no subject. */
async function token(subject: string, issuedAt: number): Promise<string> {
  const jwt = new SignJWT({ sluice: { subscribe: ['*'] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt(Math.floor(issuedAt / 1_000))
    .setExpirationTime('1h');
  if (subject !== '-') jwt.setSubject(subject);
  return `Bearer ${await jwt.sign(new TextEncoder().encode(SECRET))}`;
}

async function open(
  server: Broker,
  channel: string,
  authorization?: string | Promise<string>,
): Promise<SseStream> {
  const headers = authorization === undefined ? {} : { authorization: await authorization };
  const stream = await openStream(`${server.url}/events/${channel}`, { headers });
  expect(stream.status).toBe(200);
  await stream.until('sluice:ready');
  return stream;
}

function post(server: Broker, body: object): Promise<Response> {
  return fetch(`${server.url}/disconnect`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function disconnect(server: Broker, body: object): Promise<unknown> {
  const response = await post(server, body);
  expect(response.status).toBe(200);
  return await response.json();
}

async function status(
  server: Broker,
  channel: string,
  authorization: string | Promise<string>,
): Promise<number> {
  const headers = [`Authorization: ${await authorization}`];
  const path = `/events/${channel}`;
  const head = await exchange(server.port, { method: 'HEAD', path, headers });
  if (head.status !== 200) expect((await exchange(server.port, { path, headers })).status).toBe(head.status);
  return head.status;
}

async function revocations(server: Broker): Promise<number | undefined> {
  return (await readMetrics(server.url)).get('sluice_revocations');
}

/** Opens streams that must stay open, and checks that they did. */
async function bystanders(opening: readonly Promise<SseStream>[]): Promise<() => Promise<void>> {
  const streams = await Promise.all(opening);
  const over: SseStream[] = [];
  for (const stream of streams) void stream.ended.then(() => over.push(stream));
  return async () => {
    // An ended stream would have ended together with the others, which have been read to their end.
    expect(over).toEqual([]);
    for (const stream of streams) stream.close();
  };
}

describe('a subject is disconnected', () => {
  test('on every replica and every channel, and other subjects stay', async () => {
    const [a, b] = servers as [Broker, Broker];
    const old = await token('7', Date.now() - HOUR);
    const theirs = await Promise.all([open(a, 'news', old), open(a, 'orders', old), open(b, 'news', old)]);
    const othersStay = await bystanders([
      open(a, 'news', token('8', Date.now() - HOUR)),
      open(b, 'news', token('77', Date.now() - HOUR)),
      open(b, 'news', token('-', Date.now() - HOUR)),
      open(b, 'news'),
    ]);
    const answer = (await disconnect(b, { sub: '7' })) as {
      replicas: { replica: string; disconnected: number }[];
    };
    expect(answer).toMatchObject({ disconnected: 3, complete: true });
    expect(answer.replicas.map(({ disconnected }) => disconnected).toSorted((one, two) => one - two)).toEqual(
      [1, 2],
    );
    expect(new Set(answer.replicas.map(({ replica }) => replica)).size).toBe(2);
    await Promise.all(theirs.map((stream) => stream.ended));
    await othersStay();
    // Without revoke the same token is accepted again.
    expect(await status(a, 'news', old)).toBe(200);
  });

  test('on one channel only', async () => {
    const [a] = servers as [Broker];
    const old = await token('7', Date.now() - HOUR);
    const ended = await open(a, 'orders', old);
    const othersStay = await bystanders([open(a, 'news', old), open(a, 'orders', token('8', 0))]);
    expect(await disconnect(a, { sub: '7', channel: 'orders' })).toMatchObject({ disconnected: 1 });
    await ended.ended;
    await othersStay();
  });
});

describe('a token is revoked', () => {
  test('by subject: every replica refuses it from then on, and accepts one that is issued later', async () => {
    const [a, b] = servers as [Broker, Broker];
    const old = await token('7', Date.now() - HOUR);
    const stream = await open(b, 'news', old);
    expect(await disconnect(a, { sub: '7', revoke: true })).toMatchObject({
      disconnected: 1,
      complete: true,
    });
    await stream.ended;
    for (const server of [a, b]) {
      const answer = await exchange(server.port, {
        path: '/events/news',
        headers: [`Authorization: ${old}`],
      });
      const problem = readProblem(answer, 401);
      expect(problem.code).toBe('unauthorized');
      expect(problem.detail).toContain('revoked');
      expect(answer.header('www-authenticate')).toMatch(/^Bearer\b/);
      expect(await status(server, 'orders', old)).toBe(401);
      expect(await status(server, 'news', token('7', 0))).toBe(401);
      expect(await status(server, 'news', token('7', Date.now() + 1_000))).toBe(200);
      expect(await status(server, 'news', token('8', Date.now() - HOUR))).toBe(200);
    }
  });

  test('by channel: tokens issued before are refused on that channel alone', async () => {
    const [a, b] = servers as [Broker, Broker];
    await disconnect(a, { channel: 'orders', revoke: true });
    for (const server of [a, b]) {
      for (const subject of ['7', '-']) {
        const old = await token(subject, Date.now() - HOUR);
        expect(await status(server, 'orders', old)).toBe(401);
        expect(await status(server, 'news', old)).toBe(200);
      }
      expect(await status(server, 'orders', token('7', Date.now() + 1_000))).toBe(200);
    }
  });
});

describe('a replica that missed a revocation', () => {
  test('because it starts later, reads the revocation at its start', async () => {
    await disconnect(servers[0] as Broker, { sub: '7', revoke: true });
    const c = await start();
    servers.push(c);
    await expect.poll(() => revocations(c)).toBe(1);
    expect(await status(c, 'news', token('7', Date.now() - HOUR))).toBe(401);
  });

  test('because it was disconnected, reads the revocation on reconnect, and ends the streams that it has let in', async () => {
    const [a, b] = servers as [Broker, Broker];
    const streams = await Promise.all([a, b].map((server) => open(server, 'orders', token('7', 0))));
    const othersStay = await bystanders([open(a, 'orders', token('8', 0)), open(b, 'orders')]);
    const other = group.open({ replica: 'c', revocationTtl: HOUR });
    await new ObedientReplica(other).joined();
    // The revocation is kept, and not announced.
    await other.restore([{ subject: '7', channel: ORDERS, until: Date.now() }]);
    await redis.cli('client', 'kill', 'type', 'pubsub');
    await Promise.all(streams.map((stream) => stream.ended));
    for (const server of [a, b]) expect(await status(server, 'orders', token('7', 0))).toBe(401);
    await othersStay();
  });
});

test('replicas write their revocations to a Redis that comes back empty', async () => {
  await disconnect(servers[0] as Broker, { sub: '7', revoke: true });
  await redis.cli('flushall');
  await redis.cli('client', 'kill', 'type', 'pubsub');
  const key = `${group.prefix}{@control}:revoked`;
  await expect.poll(() => redis.cli('zrange', key, '0', '-1')).toBe(' 7');
  const c = await start();
  servers.push(c);
  await expect.poll(() => revocations(c)).toBe(1);
  expect(await status(c, 'news', token('7', Date.now() - HOUR))).toBe(401);
});
