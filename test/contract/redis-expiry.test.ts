import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HistoryPolicy } from '../../src/log/event-log.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

const DAY = 86_400_000;

/**
 * A quiet channel expires by itself and frees its memory in Redis. Its tail remains, so that the broker can still say
 * "you missed nothing".
 */
describe('a quiet channel in Redis', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;
  let policy: HistoryPolicy;

  const append = (texts: readonly string[]): Promise<EventId[]> =>
    appendTexts(log, keys.channel, texts, policy);
  const names = async (): Promise<string[]> =>
    (await redis.cli('keys', `*${keys.channel}*`)).split('\n').toSorted();
  const memory = async (): Promise<number> => {
    let sum = 0;
    for (const name of await names()) sum += Number(await redis.cli('memory', 'usage', name));
    return sum;
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

  test('expires with its events, without any access, and keeps only its tail', async () => {
    policy = { size: 100, ttl: 1_000 };
    const ids = await append(['a', 'b', 'x'.repeat(1_000)]);
    expect(await names()).toEqual([keys.ids, keys.log, keys.tail]);
    for (const name of [keys.log, keys.ids]) {
      expect(Number(await redis.cli('pttl', name))).toBeLessThanOrEqual(1_000);
      expect(Number(await redis.cli('pttl', name))).toBeGreaterThan(0);
    }
    const left = Number(await redis.cli('pttl', keys.tail));
    expect(left).toBeGreaterThan(DAY - 60_000);
    expect(left).toBeLessThanOrEqual(DAY + 1_000);
    await expect.poll(names).toEqual([keys.tail]);
    expect(await memory()).toBeLessThan(200);

    const tail = ids[2] as EventId;
    expect(await log.rewind(keys.channel, 10, policy)).toBe(tail);
    expect(await log.read(keys.channel, tail, 10, policy)).toMatchObject({
      events: [],
      tail,
      complete: true,
    });
    expect(await log.read(keys.channel, ids[1] as EventId, 10, policy)).toMatchObject({
      events: [],
      tail,
      complete: false,
    });
    const next = await append(['next']);
    expect(await log.read(keys.channel, tail, 10, policy)).toMatchObject({
      events: [{ id: next[0], prev: tail }],
      complete: true,
    });
  });

  test('with one event takes little more memory than its stream', async () => {
    policy = { size: 100, ttl: 60_000 };
    await append(['x'.repeat(100)]);
    const stream = Number(await redis.cli('memory', 'usage', keys.log));
    expect(await memory()).toBeLessThan(stream + 500);
  });

  test('continues above its tail after the clock has gone back', async () => {
    policy = { size: 100, ttl: 1_000 };
    const [first] = await append(['before']);
    await expect.poll(names).toEqual([keys.tail]);
    // The tail of an event that was appended while the clock ran ahead.
    const ahead = '99999999999999-7' as EventId;
    await redis.cli('set', keys.tail, ahead);
    const ids = await append(['a', 'b', 'c']);
    expect(ids.every((id, i) => compareEventIds(i === 0 ? ahead : (ids[i - 1] as EventId), id) < 0)).toBe(
      true,
    );
    const page = await log.read(keys.channel, ahead, 10, policy);
    expect(page).toMatchObject({ complete: true, tail: ids[2] });
    expect(page.events.map(({ id, prev }) => [id, prev])).toEqual([
      [ids[0], ahead],
      [ids[1], ids[0]],
      [ids[2], ids[1]],
    ]);
    expect(await log.rewind(keys.channel, 2, policy)).toBe(ids[0]);
    expect((await log.read(keys.channel, first as EventId, 10, policy)).complete).toBe(false);
    expect(Number(await redis.cli('xlen', keys.log))).toBe(3);
  });

  test('with some expired events returns the other events, by position and by number', async () => {
    policy = { size: 100, ttl: 3_000 };
    // The ids put the events more than a second apart. The test writes old ids, so that it need not wait.
    const time = Number((await redis.cli('time')).split('\n')[0]) * 1_000;
    const old = [`${time - 100_000}-0`, `${time - 50_000}-0`] as EventId[];
    const [first = '', second = ''] = old;
    await redis.cli('xadd', keys.log, first, 'p', ORIGIN, 'f', 'data: a\n\n');
    await redis.cli('xadd', keys.log, second, 'p', first, 'f', 'data: b\n\n');
    await redis.cli('set', keys.tail, second);
    await redis.cli('rpush', keys.ids, `${ORIGIN} 0`, `${first} 9`, `${second} 9`);
    const ids = await appendTexts(log, keys.channel, ['c', 'd'], { size: 100, ttl: 1_000_000 });
    expect(Number(await redis.cli('xlen', keys.log))).toBe(4);
    for (const after of [ORIGIN, first as EventId]) {
      const page = await log.read(keys.channel, after, 10, policy);
      expect([page.complete, page.events.map(({ id }) => id)]).toEqual([false, ids]);
    }
    expect((await log.read(keys.channel, second as EventId, 10, policy)).complete).toBe(true);
    expect(await log.rewind(keys.channel, 3, policy)).toBe(second);
    expect(await log.rewind(keys.channel, 1, policy)).toBe(ids[0]);
  });

  test('many events that expire at once are trimmed over several appends', async () => {
    policy = { size: 100, ttl: 3_000 };
    const time = Number((await redis.cli('time')).split('\n')[0]) * 1_000 - 100_000;
    let prev: string = ORIGIN;
    const elements = [`${ORIGIN} 0`];
    for (let i = 0; i < 90; i++) {
      const id = `${time + i}-0`;
      await redis.cli('xadd', keys.log, id, 'p', prev, 'f', `data: ${'x'.repeat(5_000)}\n\n`);
      elements.push(`${id} 5008`);
      prev = id;
    }
    await redis.cli('rpush', keys.ids, ...elements);
    await redis.cli('set', keys.tail, prev);
    const ids = await append(['a']);
    expect(Number(await redis.cli('xlen', keys.log))).toBeGreaterThan(50);
    expect((await log.read(keys.channel, ORIGIN, 256, policy)).events.map(({ id }) => id)).toEqual(ids);
    for (const text of ['b', 'c', 'd']) ids.push(...(await append([text])));
    expect(Number(await redis.cli('xlen', keys.log))).toBe(4);
    expect(Number(await redis.cli('llen', keys.ids))).toBe(5);
    expect(await log.rewind(keys.channel, 10, policy)).toBe(prev);
  });
});
