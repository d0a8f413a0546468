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

/** How many commands Redis gets, by its own count, and what the broker does with the answers. */

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

/** Calls of these commands since `config resetstat`. EVAL and EVALSHA count together as scripts. */
async function calls(): Promise<Record<'script' | 'subscribe' | 'other', number>> {
  const counts = { script: 0, subscribe: 0, other: 0 };
  for (const [, name = '', count] of (await redis.cli('info', 'commandstats')).matchAll(
    /cmdstat_([a-z|]+):calls=(\d+)/g,
  )) {
    if (name === 'eval' || name === 'evalsha') counts.script += Number(count);
    else if (name === 'subscribe') counts.subscribe += Number(count);
    // Leaves out the probes, the test's own commands, and commands that scripts call.
    else if (
      !/^(publish|info|config|xadd|xtrim|xrevrange|xrange|xlen|xinfo|rpush|ltrim|lindex|lrange|llen|pexpire|hmget|hset|hdel|zcard|zadd|zrem|zpopmin|unlink|time|get|set|hello|client|unsubscribe)/.test(
        name,
      )
    )
      counts.other += Number(count);
  }
  return counts;
}

test('a publish is one command, a subscription to a new channel two, and one to a known channel none', async () => {
  broker = await startBroker({ REDIS_URL: redis.url });
  await broker.logged('redis: up');
  // The list of revocations, which a replica reads once after it has joined.
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

test('an announced payload is never decoded into a string', async () => {
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
  // Only ids and the names of channels and commands are decoded. A decoded payload would add all of its bytes.
  expect(decoded.stop()).toBeLessThan(events * 1_000);
  stop();
  await log.close();
});

test('several events in one append are one command and one announcement', async () => {
  const log = await openRedisLog({ url: redis.url, prefix: 'guard:', idempotencyTtl: 60_000 });
  const channel = parseChannelName('many');
  const events = Array.from({ length: MAX_APPENDED }, (_, i) => ({ data: String(i) }));
  await redis.cli('config', 'resetstat');
  await log.append(channel, events, { policy: POLICY });
  expect((await calls()).script).toBe(1);
  const stats = await redis.cli('info', 'commandstats');
  expect(stats).toContain(`cmdstat_xadd:calls=${MAX_APPENDED},`);
  // A probe may run in between; it announces and writes once.
  for (const [, count] of stats.matchAll(/cmdstat_(?:publish|rpush):calls=(\d+)/g))
    expect(Number(count)).toBeLessThanOrEqual(3);
  await log.close();
});

test('appends of one turn of the event loop are one write, also to a Redis that has lost the scripts', async () => {
  const log = await openRedisLog({ url: redis.url, prefix: 'guard:', idempotencyTtl: 60_000 });
  const channels = Array.from({ length: 20 }, (_, i) => parseChannelName(`turn-${i}`));
  const appendAll = async (): Promise<void> => {
    const appended = await Promise.all(channels.map((channel) => appendOne(log, channel, 'x')));
    expect(new Set(appended.map(({ replayed }) => replayed))).toEqual(new Set([false]));
  };
  await appendAll();
  const before = await readsOf(redis);
  await appendAll();
  // Two for the question before, at most a few for probes, and one for the appends.
  expect((await readsOf(redis)) - before).toBeLessThan(10);

  await redis.cli('script', 'flush');
  await redis.cli('config', 'resetstat');
  await appendAll();
  for (const channel of channels) expect(await redis.cli('xlen', `guard:{${channel}}:log`)).toContain('3');
  // The text of the script was sent once more for all calls, and that of a probe may have been.
  const [, evals] = /cmdstat_eval:calls=(\d+)/.exec(await redis.cli('info', 'commandstats')) ?? [];
  expect(Number(evals)).toBeLessThanOrEqual(2);
  await log.close();
});

/** How often Redis has read from connections. */
async function readsOf(server: RedisServer): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await server.cli('info', 'stats'))?.[1]);
}

/** Counts the bytes that any Buffer of this process decodes into text. */
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
