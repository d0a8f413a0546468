import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/core/channel-name.ts';
import { ControlGroup } from '../support/control-group.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { exchange } from '../support/raw-http.ts';
import { readProblem } from '../support/read-problem.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { TokenServer } from '../support/token-server.ts';

const HOUR = 3_600_000;
const ORDERS = parseChannelName('orders');

let redis: RedisServer;
let group: ControlGroup;
let servers: TokenServer[];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(async () => {
  group = new ControlGroup(redis.url);
  servers = await Promise.all([start('a'), start('b')]);
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await group.close();
});

async function start(replica: string): Promise<TokenServer> {
  const bus = group.open({ replica, revocationTtl: HOUR });
  // A server does not wait for it, and refuses to disconnect until then.
  await new ObedientReplica(bus).joined();
  return await TokenServer.open(bus, HOUR);
}

function token(subject: string, issuedAt: number): string {
  return `Bearer ${subject} ${issuedAt}`;
}

async function open(server: TokenServer, channel: string, authorization?: string): Promise<SseStream> {
  const headers = authorization === undefined ? {} : { authorization };
  const stream = await openStream(`${server.url}/events/${channel}`, { headers });
  expect(stream.status).toBe(200);
  await stream.until('sluice:ready');
  return stream;
}

async function disconnect(server: TokenServer, body: object): Promise<unknown> {
  const response = await fetch(`${server.url}/disconnect`, {
    method: 'POST',
    headers: { authorization: 'Bearer key', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  return await response.json();
}

async function status(server: TokenServer, channel: string, authorization: string): Promise<number> {
  const answers = await Promise.all(
    ['GET', 'HEAD'].map((method) =>
      exchange(server.port, {
        method,
        path: `/events/${channel}`,
        headers: [`Authorization: ${authorization}`],
      }),
    ),
  );
  const [one, two] = answers.map((answer) => answer.status);
  expect(one).toBe(two);
  return one ?? 0;
}

/** Gives streams whose holders are of no concern, and tells whether they are open still. */
async function bystanders(opening: readonly Promise<SseStream>[]): Promise<() => Promise<void>> {
  const streams = await Promise.all(opening);
  const over: SseStream[] = [];
  for (const stream of streams) void stream.ended.then(() => over.push(stream));
  return async () => {
    // Had any been ended, it would have been with the others, which have been read to their end.
    expect(over).toEqual([]);
    for (const stream of streams) stream.close();
  };
}

describe('a subject is disconnected', () => {
  test('on every replica, and on whatever channel; nobody else is', async () => {
    const [a, b] = servers as [TokenServer, TokenServer];
    const old = token('7', Date.now() - HOUR);
    const theirs = await Promise.all([open(a, 'news', old), open(a, 'orders', old), open(b, 'news', old)]);
    const othersStay = await bystanders([
      open(a, 'news', token('8', Date.now() - HOUR)),
      open(b, 'news', token('77', Date.now() - HOUR)),
      open(b, 'news', token('-', Date.now() - HOUR)),
      open(b, 'news'),
    ]);
    const answer = (await disconnect(b, { sub: '7' })) as { replicas: object[] };
    expect(answer).toMatchObject({ disconnected: 3, complete: true });
    expect(answer.replicas).toEqual(
      expect.arrayContaining([
        { replica: 'a', disconnected: 2 },
        { replica: 'b', disconnected: 1 },
      ]),
    );
    await Promise.all(theirs.map((stream) => stream.ended));
    await othersStay();
    // Not revoked: the same token is good still.
    expect(await status(a, 'news', old)).toBe(200);
  });

  test('on one channel only', async () => {
    const [a] = servers as [TokenServer];
    const old = token('7', Date.now() - HOUR);
    const ended = await open(a, 'orders', old);
    const othersStay = await bystanders([open(a, 'news', old), open(a, 'orders', token('8', 0))]);
    expect(await disconnect(a, { sub: '7', channel: 'orders' })).toMatchObject({ disconnected: 1 });
    await ended.ended;
    await othersStay();
  });
});

describe('a token is revoked', () => {
  test('by its subject: refused on every replica from then on, while one issued later is not', async () => {
    const [a, b] = servers as [TokenServer, TokenServer];
    const old = token('7', Date.now() - HOUR);
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

  test('by channel: all that were issued before are refused there, and nowhere else', async () => {
    const [a, b] = servers as [TokenServer, TokenServer];
    await disconnect(a, { channel: 'orders', revoke: true });
    for (const server of [a, b]) {
      for (const subject of ['7', '-']) {
        const old = token(subject, Date.now() - HOUR);
        expect(await status(server, 'orders', old)).toBe(401);
        expect(await status(server, 'news', old)).toBe(200);
      }
      expect(await status(server, 'orders', token('7', Date.now() + 1_000))).toBe(200);
    }
  });
});

describe('a replica that did not hear of it', () => {
  test('because it was not there yet, reads it at its start', async () => {
    await disconnect(servers[0] as TokenServer, { sub: '7', revoke: true });
    const c = await start('c');
    servers.push(c);
    await expect.poll(() => c.revocations.size).toBe(1);
    expect(await status(c, 'news', token('7', Date.now() - HOUR))).toBe(401);
  });

  test('because its connection was away, reads it then, and ends the streams that it has let in', async () => {
    const [a, b] = servers as [TokenServer, TokenServer];
    const streams = await Promise.all([a, b].map((server) => open(server, 'orders', token('7', 0))));
    const othersStay = await bystanders([open(a, 'orders', token('8', 0)), open(b, 'orders')]);
    const other = group.open({ replica: 'c', revocationTtl: HOUR });
    await new ObedientReplica(other).joined();
    // Kept, and nobody is told.
    await other.restore([{ subject: '7', channel: ORDERS, until: Date.now() }]);
    await redis.cli('client', 'kill', 'type', 'pubsub');
    await Promise.all(streams.map((stream) => stream.ended));
    for (const server of [a, b]) expect(await status(server, 'orders', token('7', 0))).toBe(401);
    await othersStay();
  });
});

test('a Redis that comes back empty is given the revocations again, for replicas to come', async () => {
  await disconnect(servers[0] as TokenServer, { sub: '7', revoke: true });
  await redis.cli('flushall');
  await redis.cli('client', 'kill', 'type', 'pubsub');
  const key = `${group.prefix}{@control}:revoked`;
  await expect.poll(() => redis.cli('zrange', key, '0', '-1')).toBe(' 7');
  const c = await start('c');
  servers.push(c);
  await expect.poll(() => c.revocations.size).toBe(1);
  expect(await status(c, 'news', token('7', Date.now() - HOUR))).toBe(401);
});
