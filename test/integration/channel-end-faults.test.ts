import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { endChannel } from '../support/end-channel.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { exchange } from '../support/raw-http.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

let redis: RedisServer;
let log: EventLog;
let broker: Broker;

async function start(env: Record<string, string> = {}): Promise<void> {
  redis = await startRedis({ appendonly: true });
  log = await openRedisLog({ url: redis.url, prefix: 'sluice:', idempotencyTtl: 60_000 });
  broker = await startBroker({ REDIS_URL: redis.url, ...env });
}

afterEach(async () => {
  await broker.kill();
  await log.close();
  await redis.stop();
});

async function statusAt(cursor: string): Promise<number> {
  const headers = [`Last-Event-ID: ${cursor}`];
  return (await exchange(broker.port, { path: '/events/news', method: 'HEAD', headers })).status;
}

async function reconnected(): Promise<void> {
  await expect.poll(async () => (await fetch(`${broker.url}/readyz`)).status).toBe(200);
  await expect.poll(async () => (await log.health()).up, { timeout: 10_000 }).toBe(true);
}

describe('the end of a channel', () => {
  test('stays after a restart of the broker, and of Redis', async () => {
    await start();
    const id = await broker.publish('news', 'x');
    const end = await endChannel(log, 'news', ['last']);
    expect(await statusAt(end)).toBe(204);
    await broker.kill();
    await redis.kill();
    await redis.restart();
    broker = await startBroker({ REDIS_URL: redis.url });
    await reconnected();
    expect(await statusAt(end)).toBe(204);
    const stream = await openStream(`${broker.url}/events/news`, { headers: { 'last-event-id': id } });
    await stream.ended;
    expect(stream.events).toMatchObject([{ id: end, data: 'last' }, { event: 'sluice:end' }]);
  });

  test('reaches a live stream that could not hear it', async () => {
    await start();
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const id = await broker.publish('news', 'x');
    await stream.next();
    // The end is announced while the replica's connection for announcements is away.
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
    const end = await endChannel(log, 'news');
    expect(end).toBe(id);
    await stream.ended;
    expect(stream.complete).toBe(true);
    expect(stream.events.at(-1)).toMatchObject({ id: end, event: 'sluice:end' });
  });

  test.each([
    ['has events', async () => undefined],
    ['was cleared', () => log.clear(parseChannelName('news'), POLICY)],
  ])(
    'reaches a live stream of a channel that %s when Redis lost everything before',
    async (_what, before) => {
      await start();
      const id = await broker.publish('news', 'x');
      await before();
      const stream = await openStream(`${broker.url}/events/news`, { headers: { 'last-event-id': id } });
      await stream.until('sluice:ready');
      await redis.cli('flushall');
      const end = await endChannel(log, 'news');
      expect(end).toBe('0-0');
      await stream.ended;
      expect(stream.complete).toBe(true);
      expect(stream.events.at(-1)).toMatchObject({ id: end, event: 'sluice:end' });
    },
  );

  test('is asked for no longer than a moment when Redis hangs: the stream opens, and gets the end later', async () => {
    await start();
    const end = await endChannel(log, 'news', ['last']);
    await redis.pause();
    const headers = { 'last-event-id': end };
    const stream = await openStream(`${broker.url}/events/news`, { headers });
    expect(stream.status).toBe(200);
    await redis.resume();
    await stream.ended;
    expect(stream.events.at(-1)).toMatchObject({ id: end, event: 'sluice:end' });
    await reconnected();
    expect(await statusAt(end)).toBe(204);
  });

  test('is 204 also while the replica drains; the other streams are asked to come back', async () => {
    await start({ SLUICE_DRAIN_WINDOW: '2s' });
    const end = await endChannel(log, 'news', ['last']);
    const streams = await Promise.all([1, 2, 3].map((n) => openStream(`${broker.url}/events/other.${n}`)));
    for (const stream of streams) await stream.until('sluice:ready');
    const exit = broker.stop();
    await Promise.race(streams.map((stream) => stream.ended));
    expect(await statusAt(end)).toBe(204);
    // A stream that is open ends with its channel also now.
    const open = streams.flatMap((stream, n) =>
      stream.complete ? [] : [{ stream, name: `other.${n + 1}` }],
    );
    const [last] = open.slice(-1);
    await endChannel(log, last?.name ?? '', ['bye']);
    await last?.stream.ended;
    expect(last?.stream.events.map(({ event, data }) => event ?? data)).toEqual([
      'sluice:ready',
      'bye',
      'sluice:end',
    ]);
    expect(await exit).toEqual({ code: 0, signal: null });
  });
});
