import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

const DAY = 86_400_000;

describe('in Redis, a channel that ends or is cleared', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;

  const end = async (): Promise<void> => {
    await log.append(keys.channel, [], { policy: POLICY, end: true });
  };
  const tail = (): Promise<string> => redis.cli('get', keys.tail);
  const ttl = async (key: string): Promise<number> => Number(await redis.cli('pttl', key));
  const expectTailTtl = async (): Promise<void> => {
    expect(await ttl(keys.tail)).toBeGreaterThan(DAY);
    expect(await ttl(keys.tail)).toBeLessThanOrEqual(DAY + POLICY.ttl);
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    keys = freshChannel();
    log = await openRedisLog({ url: redis.url, prefix: PREFIX, idempotencyTtl: 60_000 });
  });
  afterEach(() => log.close());

  test('keeps its mark with its tail, as long as the tail', async () => {
    const [id] = await appendTexts(log, keys.channel, ['a']);
    await end();
    expect(await tail()).toBe(`${id} ended`);
    await expectTailTtl();
    await log.clear(keys.channel, POLICY);
    expect(await tail()).toMatch(/^\d+-\d+ cleared$/);
    await expectTailTtl();
    for (const key of [keys.log, keys.ids]) expect(await ttl(key)).toBeLessThanOrEqual(POLICY.ttl);
    const [next] = await appendTexts(log, keys.channel, ['b']);
    expect(await tail()).toBe(next);
  });

  test('without its tail is a new channel', async () => {
    await end();
    await redis.cli('del', keys.tail);
    expect(await log.state(keys.channel)).toEqual({ tail: ORIGIN, status: 'empty' });
    await appendTexts(log, keys.channel, ['a']);
  });

  test('continues above its tail when it is cleared after the clock has gone back', async () => {
    const ahead = '99999999999999-7' as EventId;
    await redis.cli('xadd', keys.log, ahead, 'p', ORIGIN, 'r', '1\n\nx');
    await redis.cli('rpush', keys.ids, `${ORIGIN} 0`, `${ahead} 4`);
    await redis.cli('set', keys.tail, ahead);
    expect(await log.clear(keys.channel, POLICY)).toBe(true);
    const state = await log.state(keys.channel);
    expect(compareEventIds(ahead, state.tail)).toBeLessThan(0);
    const [next] = (await appendTexts(log, keys.channel, ['a'])) as [EventId];
    expect(await log.read(keys.channel, ahead, 10, POLICY)).toMatchObject({
      events: [
        { id: state.tail, prev: ahead },
        { id: next, prev: state.tail },
      ],
      complete: true,
    });
    expect(Number(await redis.cli('xlen', keys.log))).toBe(2);
  });

  test('can be cleared while Redis has no free memory', async () => {
    await appendTexts(log, keys.channel, ['a', 'b']);
    await redis.cli('config', 'set', 'maxmemory', '1');
    try {
      await expect(appendOne(log, keys.channel, 'c')).rejects.toMatchObject({ code: 'log-full' });
      await expect(end()).rejects.toMatchObject({ code: 'log-full' });
      expect(await log.clear(keys.channel, POLICY)).toBe(true);
    } finally {
      await redis.cli('config', 'set', 'maxmemory', '0');
    }
    expect((await log.read(keys.channel, ORIGIN, 10, POLICY)).events).toHaveLength(1);
  });

  test('has its events freed by a thread of their own, so that Redis goes on', async () => {
    const policy = { size: 100_000, ttl: 60_000 };
    const events = Array.from({ length: 250 }, () => ({ data: 'x'.repeat(4_000) }));
    for (let i = 0; i < 10; i++) await log.append(keys.channel, events, { policy });
    await redis.cli('config', 'resetstat');
    expect(await log.clear(keys.channel, policy)).toBe(true);
    await expect.poll(() => redis.cli('info', 'memory')).toMatch(/lazyfreed_objects:[1-9]/);
  });

  test.each([
    'x',
    '1-1 ',
    '1-1 ENDED',
    '1-1 gone',
    '01-1 ended',
    ' ended',
    '1-1 ended ',
    '1-1  ended',
    '1-1\nended',
  ])('a mark that no broker has written is reported, and nothing is written: %j', async (value) => {
    await redis.cli('set', keys.tail, value);
    const expected = { code: 'log-unavailable', trouble: 'WRONGTYPE' };
    for (const attempt of [
      () => appendOne(log, keys.channel, 'a'),
      end,
      () => log.clear(keys.channel, POLICY),
      () => log.state(keys.channel),
      () => log.read(keys.channel, ORIGIN, 10, POLICY),
    ])
      await expect(attempt()).rejects.toMatchObject(expected);
    expect(await redis.cli('keys', `*${keys.channel}*`)).toBe(keys.tail);
  });

  test.each(['log', 'tail', 'ids'] as const)(
    'a wrong type at the key of %s is not dropped',
    async (which) => {
      await appendTexts(log, keys.channel, ['a']);
      await redis.cli('del', keys[which]);
      await redis.cli('hset', keys[which], 'a', 'b');
      await expect(log.clear(keys.channel, POLICY)).rejects.toMatchObject({ trouble: 'WRONGTYPE' });
      expect(await redis.cli('hget', keys[which], 'a')).toBe('b');
      expect((await redis.cli('keys', `*${keys.channel}*`)).split('\n')).toHaveLength(3);
    },
  );

  test('is announced to those that follow it, once for each end', async () => {
    const listener = new Listener();
    const stop = log.follow(keys.channel, listener);
    await listener.following();
    const [id] = await appendTexts(log, keys.channel, ['a']);
    await end();
    await redis.cli('publish', keys.live, `b${id}\nx`);
    await redis.cli('publish', keys.live, `b${id}`);
    await log.clear(keys.channel, POLICY);
    await listener.until(() => listener.ids.length > 1);
    await end();
    await listener.until(() => listener.endedAt.length > 1);
    expect(listener.endedAt).toEqual(listener.ids);
    stop();
  });
});
