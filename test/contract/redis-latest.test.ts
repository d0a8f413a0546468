import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

const HOUR = 3_600_000;
const REFUSED = { code: 'log-unavailable', trouble: 'WRONGTYPE' };

describe('the state of a channel in Redis', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let channel: KeyedChannel;
  let keys: FreshChannel;

  const ttl = async (key: string): Promise<number> => Number(await redis.cli('pttl', key));
  const expectOutlivingTail = async (): Promise<void> => {
    const tail = await ttl(keys.tail);
    for (const key of [keys.state, keys.order]) {
      expect(await ttl(key)).toBeGreaterThan(tail);
      expect(await ttl(key)).toBeLessThanOrEqual(tail + 6 * HOUR + 1_000);
    }
  };
  /** Lets both keys expire soon, as if time had passed. */
  const shorten = async (): Promise<void> => {
    for (const key of [keys.state, keys.order]) await redis.cli('pexpire', key, String(HOUR));
  };
  const isShort = async (): Promise<boolean> => (await ttl(keys.state)) <= HOUR;
  const values = async (): Promise<Record<'xlen' | 'hget' | 'zcard', string>> => ({
    xlen: await redis.cli('xlen', keys.log),
    hget: await redis.cli('hget', keys.state, 'ka'),
    zcard: await redis.cli('zcard', keys.order),
  });
  /** Sets the tail to an event whose time is that far from now. */
  const moveTail = async (ms: number): Promise<void> => {
    const id = `${Date.now() + ms}-0`;
    await redis.cli('del', keys.log, keys.ids);
    await redis.cli('xadd', keys.log, id, 'p', ORIGIN, 'r', '1\n\nx');
    await redis.cli('rpush', keys.ids, `${ORIGIN} 0`, `${id} 4`);
    await redis.cli('set', keys.tail, id);
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    log = await openRedisLog({ url: redis.url, prefix: PREFIX, idempotencyTtl: 60_000 });
    channel = new KeyedChannel(log);
    keys = freshChannel(channel.name);
  });
  afterEach(() => log.close());

  test('lives a little longer than the tail', async () => {
    await channel.set('a', '1');
    await expectOutlivingTail();
    await shorten();
    await channel.append([], { end: true });
    await expectOutlivingTail();
  });

  test('lives a little longer than the tail, also when an append deletes the last key and sets another one', async () => {
    await channel.set('a', '1');
    await channel.publish([channel.deletion('a'), { key: 'b', data: '2' }]);
    expect(await channel.keys()).toEqual(['b']);
    await expectOutlivingTail();
  });

  test.each([
    ['an event without a key, hours after the last event', -4 * HOUR, ['x'], true],
    ['an event without a key, when ids are hours ahead of the clock', 4 * HOUR, ['x'], true],
    ['events without a key, when ids are years ahead of the clock', 100_000 * HOUR, ['x', 'y'], true],
    ['events without a key, shortly after the last event', 0, ['x', 'y'], false],
  ])('gets a new expiry: %s', async (_case, ms, texts, isLonger) => {
    await channel.set('a', '1');
    await moveTail(ms);
    // The units of time are three hours long. Now may be the begin of one.
    if (ms === 0) await channel.append(['first']);
    await shorten();
    await channel.append(texts);
    expect(await isShort()).toBe(!isLonger);
    if (isLonger) await expectOutlivingTail();
  });

  test('is not stored for a channel without keys', async () => {
    await channel.append(['a', 'b']);
    await channel.append(['c']);
    expect(await redis.cli('exists', keys.state, keys.order)).toBe('0');
  });

  test('is gone with the tail, and the next event begins anew', async () => {
    await channel.set('a', '1');
    await channel.set('b', '2');
    await redis.cli('del', keys.tail, keys.log, keys.ids);
    expect(await channel.latest()).toMatchObject({ events: [], tail: ORIGIN });
    await channel.append(['no key']);
    expect(await redis.cli('exists', keys.state, keys.order)).toBe('0');
    await channel.set('c', '3');
    expect(await channel.keys()).toEqual(['c']);
  });

  test.each(['state', 'order'] as const)('begins anew when its %s is gone', async (half) => {
    await channel.set('a', '1');
    await channel.set('b', '2');
    await redis.cli('del', keys[half]);
    expect(await channel.keys()).toEqual([]);
    await channel.set('c', '3');
    expect(await channel.keys()).toEqual(['c']);
    expect(await redis.cli('zcard', keys.order)).toBe('1');
    await expectOutlivingTail();
  });

  test.each([
    ['score', ['hset', 'x']],
    ['score', ['hset', 'nan']],
    ['score', ['hset', '1e300']],
    ['largest', ['hset', 'x']],
    ['largest', ['hdel']],
  ] as const)('begins anew when somebody has changed its %s: %j', async (field, [command, ...value]) => {
    await channel.set('a', '1');
    await redis.cli(command, keys.state, field, ...value);
    expect(await channel.keys()).toEqual(['a']);
    const id = await channel.set('b', '2');
    expect((await channel.state()).tail).toBe(id);
    expect(await channel.keys()).toEqual(['b']);
  });

  test.each([
    ['an event without a key', ['no key'], {}],
    ['an end without an event', [], { end: true }],
  ] as const)(
    'is gone when an older version has cleared the channel, also after %s',
    async (_case, texts, end) => {
      await channel.set('a', '1');
      await redis.cli('set', keys.tail, `${await redis.cli('get', keys.tail)} cleared`);
      expect(await channel.keys()).toEqual([]);
      expect((await log.catalog.about(channel.name, POLICY)).keys).toBe(0);
      await channel.append(texts, end);
      expect(await channel.keys()).toEqual([]);
      expect(await redis.cli('exists', keys.state, keys.order)).toBe('0');
    },
  );

  test.each([
    ['whole, when it is small', [1], 2_200, undefined],
    ['in two parts, when it is large', [1, 1, 1, 1, 1, 1, 1], 2_207, 2_000],
  ] as const)('a page of 10,000 has a state with large values %s', async (_case, large, count, part) => {
    const policy = { ...POLICY, keys: count };
    for (const [i] of large.entries()) await channel.set(`large-${i}`, 'x'.repeat(1_000_000), { policy });
    await channel.fill(2_200, 0, policy);
    const limits = { limit: 10_000, maxBytes: 16 * 1024 * 1024 };
    const first = await channel.latest(undefined, limits);
    expect(first.events).toHaveLength(part ?? count);
    if (part === undefined) return expect(first.next).toBeUndefined();
    const second = await channel.latest(first.next, limits);
    expect(first.events.length + second.events.length).toBe(count);
    expect(second.next).toBeUndefined();
  });

  test.each([
    ['state', ['set', 'x']],
    ['state', ['rpush', 'x']],
    ['order', ['set', 'x']],
    ['order', ['hset', 'x', 'y']],
  ] as const)(
    'a wrong type at the key of the %s is reported, and not dropped: %j',
    async (which, [command, ...rest]) => {
      await channel.append(['x']);
      await redis.cli(command, keys[which], ...rest);
      const before = await redis.cli('type', keys[which]);
      for (const attempt of [
        () => channel.set('a', '1'),
        () => channel.publish([{ data: 'x' }, { key: 'a', data: '1' }]),
        () => channel.clear(),
        () => channel.latest(),
      ])
        await expect(attempt()).rejects.toMatchObject(REFUSED);
      expect(await redis.cli('xlen', keys.log)).toBe('1');
      expect(await redis.cli('type', keys[which])).toBe(before);
      // Events without keys need no state.
      await channel.append(['y']);
    },
  );

  test('a wrong type is not dropped by the first event of a channel either', async () => {
    await redis.cli('set', keys.state, 'x');
    await expect(channel.append(['y'])).rejects.toMatchObject(REFUSED);
    expect(await redis.cli('get', keys.state)).toBe('x');
    expect(await redis.cli('exists', keys.log, keys.tail)).toBe('0');
  });

  test('a value that no broker has written is left out', async () => {
    await channel.set('a', '1');
    for (const [score, value] of ['x', '', ' ', '1-1', '01-1 1\n\nx', 'x 1\n\nx'].entries()) {
      await redis.cli('hset', keys.state, `foreign-${score}`, value);
      await redis.cli('zadd', keys.order, String(score), `foreign-${score}`);
    }
    await redis.cli('zadd', keys.order, '5000', 'without-a-value');
    expect(await channel.keys()).toEqual(['a']);
    const first = await channel.latest(undefined, { limit: 1 });
    expect(first.events).toEqual([]);
    let { next } = first;
    const found: string[] = [];
    for (let pages = 0; next !== undefined && pages < 10; pages++) {
      const page = await channel.latest(next, { limit: 2 });
      found.push(...channel.keysOf(page.events));
      ({ next } = page);
    }
    expect(found).toEqual(['a']);
  });

  test('a record of a version that this release does not know is an error', async () => {
    await channel.set('a', '1');
    const id = await channel.set('b', '2');
    await redis.cli('hset', keys.state, 'kb', `${id} 9\nx`);
    await expect(channel.latest()).rejects.toMatchObject({ code: 'log-unavailable', trouble: 'version' });
  });

  test('does not change when Redis has no free memory', async () => {
    await channel.set('a', '1');
    const before = await values();
    await redis.cli('config', 'set', 'maxmemory', '1');
    try {
      for (const events of [[{ key: 'a', data: '2' }], [{ key: 'b', data: '2' }, channel.deletion('a')]])
        await expect(channel.publish(events)).rejects.toMatchObject({ code: 'log-full' });
      expect(await values()).toEqual(before);
      expect(await channel.clear()).toBe(true);
      expect(await channel.keys()).toEqual([]);
    } finally {
      await redis.cli('config', 'set', 'maxmemory', '0');
    }
  });

  test('has events of very different sizes', async () => {
    const sizes = [3, 200_000, 10, 1_000_000, 5, 80_000, 7];
    for (const [i, size] of sizes.entries()) await channel.set(`key-${i}`, 'x'.repeat(size));
    const pages: string[][] = [];
    let next;
    do {
      const page = await channel.latest(next, { limit: 4, maxBytes: 256 * 1024 });
      pages.push(channel.keysOf(page.events));
      ({ next } = page);
    } while (next !== undefined);
    expect(pages).toEqual([['key-0', 'key-1', 'key-2'], ['key-3'], ['key-4', 'key-5', 'key-6']]);
  });

  test('owns the bytes of a page', async () => {
    await channel.fill(20);
    const { events } = await channel.latest();
    const bytes = events.reduce((sum, { record }) => sum + record.length, 0);
    expect(events[0]?.record.buffer.byteLength).toBe(bytes);
  });

  test('an older version of the broker appends behind it, and the page has the newest tail', async () => {
    await channel.set('a', '1');
    const id = await redis.cli(
      'xadd',
      keys.log,
      '*',
      'p',
      await redis.cli('get', keys.tail),
      'f',
      'data: x\n\n',
    );
    expect(await channel.latest()).toMatchObject({ tail: id as EventId, events: [{}] });
    await channel.set('b', '2', { policy: POLICY, ifLast: id as EventId });
    expect(await channel.keys()).toEqual(['a', 'b']);
  });
});
