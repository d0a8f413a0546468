import { afterAll, beforeAll, expect, test } from 'vitest';
import type { HistoryPolicy } from '../../src/log/event-log.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { seededRandom } from '../support/seeded-random.ts';

const STEPS = 120;
const SIZES = [3, 20, 60, 500];
const TTL = 600_000;

interface Published {
  readonly id: EventId;
  readonly record: string;
}

let redis: RedisServer;
let log: RedisEventLog;
beforeAll(async () => {
  redis = await startRedis();
  log = await openRedisLog({ url: redis.url, prefix: PREFIX, idempotencyTtl: 60_000 });
});
afterAll(async () => {
  await log.close();
  await redis.stop();
});

test.each([
  ['one size', 1, [20]],
  ['one size', 2, [60]],
  ['sizes that change', 3, SIZES],
  ['sizes that change', 4, SIZES],
] as const)(
  'the log in Redis keeps the newest events, from single and multiple appends of both versions: %s, seed %d',
  async (_kind, seed, sizes) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const keys = freshChannel();
    const published: Published[] = [];
    /** How many of the newest events the log still has to keep. */
    let kept = 0;
    for (let step = 0; step < STEPS; step++) {
      const policy = { size: sizes[below(sizes.length)] as number, ttl: TTL };
      if (below(6) === 0) {
        published.push(await appendAsBefore(keys, published.at(-1)?.id ?? ORIGIN, `data: old ${step}\n\n`));
        kept++;
      } else {
        const count = below(3) === 0 ? 1 + below(80) : 1;
        const events = Array.from({ length: count }, (_, i) => ({
          data: `${step}.${i}`.padEnd(below(10) === 0 ? below(3_000) : 0, 'x'),
        }));
        const options = { policy, idempotencyKey: `key-${step}` };
        // Some of the events repeat earlier ones.
        const early = below(4) === 0 ? below(count + 1) : 0;
        const first = early > 0 ? await log.append(keys.channel, events.slice(0, early), options) : [];
        const all = await log.append(keys.channel, events, options);
        expect(all.slice(0, early)).toEqual(first.map(({ id }) => ({ id, replayed: true })));
        expect(all.slice(early).every(({ replayed }) => !replayed)).toBe(true);
        for (const [i, { id }] of all.entries())
          published.push({ id, record: encodeRecord(events[i] as { data: string }) });
        kept = Math.min(kept + count, policy.size);
      }
      if (step % 5 === 0) await compare(keys, published, { kept, policy, isExact: sizes.length === 1 });
    }
  },
);

async function appendAsBefore(
  { log: stream }: FreshChannel,
  prev: EventId,
  fields: string,
): Promise<Published> {
  const id = (await redis.cli('xadd', stream, '*', 'p', prev, 'f', fields)) as EventId;
  return { id, record: `0${fields}` };
}

async function compare(
  { channel }: FreshChannel,
  published: readonly Published[],
  { kept, policy, isExact }: { kept: number; policy: HistoryPolicy; isExact: boolean },
): Promise<void> {
  const all = [{ id: ORIGIN, record: '' }, ...published];
  const indexOf = (id: EventId): number => all.findIndex((one) => one.id === id);
  const first = indexOf(await log.rewind(channel, Infinity, policy));
  const count = published.length - first;
  expect(count).toBeGreaterThanOrEqual(Math.min(kept, policy.size));
  expect(count).toBeLessThanOrEqual(policy.size);
  let at = first;
  for (;;) {
    const { events, complete, tail } = await log.read(channel, all[at]?.id as EventId, 7, policy);
    expect([complete, tail]).toEqual([true, published.at(-1)?.id]);
    if (events.length === 0) break;
    for (const { id, prev, record } of events) {
      expect(prev).toBe(all[at]?.id);
      at++;
      expect({ id, record: record.toString() }).toEqual(all[at]);
    }
  }
  expect(at).toBe(published.length);
  // More events may be readable: those that a smaller size has not trimmed yet, or any when the other version appended
  // last.
  if (first > 0 && isExact && published.at(-1)?.record.startsWith('1')) {
    const early = await log.read(channel, all[first - 1]?.id as EventId, 7, policy);
    expect([early.complete, early.events[0]?.id]).toEqual([false, all[first + 1]?.id]);
  }
  for (const back of [0, 1, 2, 50]) {
    if (back <= count) expect(await log.rewind(channel, back, policy)).toBe(all[published.length - back]?.id);
  }
}
