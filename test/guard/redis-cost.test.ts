import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { MAX_APPENDED } from '../../src/log/event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

/** What Redis is asked to do, by its own count, and what is done with what it says. */

let redis: RedisServer;
let broker: Broker | undefined;
beforeAll(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await broker?.kill();
  broker = undefined;
});
afterAll(() => redis.stop());

/** Calls of those commands since `config resetstat`, of scripts by EVAL and EVALSHA together. */
async function calls(): Promise<Record<'script' | 'subscribe' | 'other', number>> {
  const counts = { script: 0, subscribe: 0, other: 0 };
  for (const [, name = '', count] of (await redis.cli('info', 'commandstats')).matchAll(
    /cmdstat_([a-z|]+):calls=(\d+)/g,
  )) {
    if (name === 'eval' || name === 'evalsha') counts.script += Number(count);
    else if (name === 'subscribe') counts.subscribe += Number(count);
    // The probes, the test's own questions, and what the scripts themselves call.
    else if (
      !/^(publish|info|config|xadd|xtrim|xrevrange|xrange|xlen|xinfo|rpush|ltrim|lindex|lrange|llen|pexpire|time|get|set|hello|client|unsubscribe)/.test(
        name,
      )
    )
      counts.other += Number(count);
  }
  return counts;
}

test('a publish is one command; a subscription to a new channel two, to a known one none', async () => {
  broker = await startBroker({ REDIS_URL: redis.url });
  await broker.logged('redis: up');
  // What a replica reads once, when it joins the others.
  await expect.poll(() => redis.cli('info', 'commandstats')).toContain('cmdstat_zscan:');
  await redis.cli('config', 'resetstat');
  for (let i = 0; i < 50; i++) await broker.publish('news', 'x');
  expect(await calls()).toEqual({ script: 50, subscribe: 0, other: 0 });

  const first = await openStream(`${broker.url}/events/news`);
  await first.until('sluice:ready');
  expect(await calls()).toEqual({ script: 51, subscribe: 1, other: 0 });

  const more = await Promise.all(Array.from({ length: 50 }, () => openStream(`${broker?.url}/events/news`)));
  await Promise.all(more.map((stream) => stream.until('sluice:ready')));
  expect(await calls()).toEqual({ script: 51, subscribe: 1, other: 0 });
  for (const stream of [first, ...more]) stream.close();
});

test('what is announced is not made text of on its way through', async () => {
  const log = await openRedisLog({
    url: redis.url,
    prefix: 'guard:',
    idempotencyTtl: 60_000,
  });
  const channel = parseChannelName('news');
  const listener = new Listener();
  const stop = log.follow(channel, listener);
  await listener.following();

  const size = 100_000;
  const events = 20;
  const decoded = countDecodedBytes();
  let last = '';
  for (let i = 0; i < events; i++) last = (await appendOne(log, channel, 'x'.repeat(size))).id;
  await listener.heard((id) => id === last);
  // Ids, the names of channels and of commands; a payload made text of would be all of it.
  expect(decoded.stop()).toBeLessThan(events * 1_000);
  stop();
  await log.close();
});

test('many events in one append are one command and one announcement', async () => {
  const log = await openRedisLog({ url: redis.url, prefix: 'guard:', idempotencyTtl: 60_000 });
  const channel = parseChannelName('many');
  const events = Array.from({ length: MAX_APPENDED }, (_, i) => ({ data: String(i) }));
  await redis.cli('config', 'resetstat');
  await log.append(channel, events, { policy: POLICY });
  expect((await calls()).script).toBe(1);
  const stats = await redis.cli('info', 'commandstats');
  expect(stats).toContain(`cmdstat_xadd:calls=${MAX_APPENDED},`);
  // A probe, which announces and writes once, may come between.
  for (const [, count] of stats.matchAll(/cmdstat_(?:publish|rpush):calls=(\d+)/g))
    expect(Number(count)).toBeLessThanOrEqual(3);
  await log.close();
});

/** Counts the bytes that any Buffer of this process is asked to turn into text. */
function countDecodedBytes(): { stop(): number } {
  type Slice = (this: Buffer, start?: number, end?: number) => string;
  const prototype = Buffer.prototype as unknown as Record<string, Slice>;
  const originals = new Map<string, Slice>();
  let bytes = 0;
  for (const name of ['utf8Slice', 'latin1Slice', 'asciiSlice', 'toString']) {
    const original = prototype[name] as Slice;
    originals.set(name, original);
    prototype[name] = function counting(this: Buffer, ...args: [start?: number, end?: number]): string {
      const text = original.apply(this, args);
      bytes += text.length;
      return text;
    };
  }
  return {
    stop() {
      for (const [name, original] of originals) prototype[name] = original;
      return bytes;
    },
  };
}
