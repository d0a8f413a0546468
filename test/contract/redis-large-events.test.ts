import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/**
 * How long a script holds Redis does not depend on the size of events, except for the event that it returns. The
 * measure is Redis' own CPU time, as a multiple of the cost of one event, so that a busy machine does not matter.
 */
describe('a channel of large events', () => {
  const EVENTS = 100;
  const CALLS = 10;
  const KEEPING = { size: 1_000, ttl: 600_000 };
  const large = 'x'.repeat(1_000_000);
  const big = freshChannel();
  const small = freshChannel();
  let redis: RedisServer;
  let log: RedisEventLog;
  let ids: EventId[];
  /** The time of a Redis script that copies one large event, in µs. */
  let oneEvent: number;

  /** The time of all Redis scripts that run during `action`, in µs per call. */
  const costOf = async (action: () => Promise<unknown>): Promise<number> => {
    await redis.cli('config', 'resetstat');
    await action();
    const stats = await redis.cli('info', 'commandstats');
    let [calls, usec] = [0, 0];
    for (const [, count, time] of stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+),usec=(\d+)/g)) {
      calls += Number(count);
      usec += Number(time);
    }
    return usec / calls;
  };
  const times = async (action: () => Promise<unknown>): Promise<void> => {
    for (let i = 0; i < CALLS; i++) await action();
  };

  beforeAll(async () => {
    redis = await startRedis();
    log = await openRedisLog({
      url: redis.url,
      prefix: PREFIX,
      idempotencyTtl: 600_000,
    });
    ids = await appendTexts(
      log,
      big.channel,
      Array.from({ length: EVENTS }, () => large),
      KEEPING,
    );
    await appendTexts(log, small.channel, Array.from({ length: EVENTS }, String), KEEPING);
    const copyOne = `return #redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][2][4]`;
    oneEvent = await costOf(() => times(() => redis.cli('eval', copyOne, '1', big.log)));
  });
  afterAll(async () => {
    await log.close();
    await redis.stop();
  });

  test('a rewind copies no event', async () => {
    const cost = await costOf(() => times(() => log.rewind(big.channel, EVENTS, KEEPING)));
    expect(await log.rewind(big.channel, EVENTS, KEEPING)).toBe(ORIGIN);
    expect(await log.rewind(big.channel, EVENTS - 1, KEEPING)).toBe(ids[0]);
    expect(cost).toBeLessThan(oneEvent);
  });

  test('a page copies only the event that it returns', async () => {
    const cost = await costOf(() => times(() => log.read(big.channel, ORIGIN, 256, KEEPING)));
    expect((await log.read(big.channel, ORIGIN, 256, KEEPING)).events.map(({ id }) => id)).toEqual([ids[0]]);
    // The event is copied from the stream to the script, and from the script to the reader.
    expect(cost).toBeLessThan(8 * oneEvent);
  });

  test('a small event before a large one is a page of its own, and the large event is not copied', async () => {
    const { channel } = freshChannel();
    const [first] = await appendTexts(log, channel, ['small', large]);
    const cost = await costOf(() => times(() => log.read(channel, ORIGIN, 256, KEEPING)));
    expect((await log.read(channel, ORIGIN, 256, KEEPING)).events.map(({ id }) => id)).toEqual([first]);
    expect(cost).toBeLessThan(oneEvent);
  });

  test('a page of the state copies the events that it returns, and one more', async () => {
    const channel = new KeyedChannel(log);
    for (let i = 0; i < 20; i++) await channel.set(`key-${i}`, large);
    await channel.set('key-0', 'small');
    const cost = await costOf(() => times(() => channel.latest(undefined, { maxBytes: 256 * 1024 })));
    expect(channel.keysOf((await channel.latest(undefined, { maxBytes: 256 * 1024 })).events)).toEqual([
      'key-1',
    ]);
    expect(cost).toBeLessThan(8 * oneEvent);
  });

  test('an append after a large event copies only its own event', async () => {
    let cost = 0;
    for (let i = 0; i < CALLS; i++) {
      ids.push(...(await appendTexts(log, big.channel, [large], KEEPING)));
      cost += await costOf(async () =>
        ids.push(...(await appendTexts(log, big.channel, ['small'], KEEPING))),
      );
    }
    expect(cost / CALLS).toBeLessThan(oneEvent);
  });

  test('a lower limit is reached over several appends, while reads apply it at once', async () => {
    const lower = { size: 5, ttl: 600_000 };
    const before = Number(await redis.cli('xlen', big.log));
    ids.push(...(await appendTexts(log, big.channel, ['small'], lower)));
    const after = Number(await redis.cli('xlen', big.log));
    expect(after).toBeLessThan(before);
    expect(after).toBeGreaterThan(before / 2);
    expect(await log.rewind(big.channel, EVENTS, lower)).toBe(ids.at(-6));
    expect((await log.read(big.channel, ORIGIN, 256, lower)).events[0]?.id).toBe(ids.at(-5));
    for (let i = 0; i < 10; i++) ids.push(...(await appendTexts(log, big.channel, ['small'], lower)));
    expect(Number(await redis.cli('llen', big.ids))).toBe(6);
    // One append trims a hundred small events.
    expect(Number(await redis.cli('xlen', big.log))).toBeLessThan(100);
  });

  test('an append of many small events lets go of a few large ones only, and later appends of the rest', async () => {
    const full = freshChannel();
    const policy = { size: 50, ttl: 600_000 };
    for (let i = 0; i < 50; i++) await appendTexts(log, full.channel, [large], policy);
    const smallOnes = Array.from({ length: 200 }, (_, i) => ({ data: String(i) }));
    const appended = await log.append(full.channel, smallOnes, { policy });
    // 50 of 1 MB each would go at once otherwise, which takes longer than Redis may stand still.
    expect(Number(await redis.cli('xlen', full.log))).toBeGreaterThan(210);
    const kept = appended.slice(-50).map(({ id }) => id);
    expect((await log.read(full.channel, ORIGIN, 256, policy)).events.map(({ id }) => id)).toEqual(kept);
    for (let i = 0; i < 10; i++) await appendTexts(log, full.channel, ['small'], policy);
    expect(Number(await redis.cli('llen', full.ids))).toBe(51);
  });
});
