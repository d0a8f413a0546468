import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../src/core/event.ts';
import type { EventId } from '../../src/core/event.ts';
import type { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { PREFIX } from '../support/redis-log-fixture.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** Replicas of neighbouring versions share a Redis while they are being replaced. */
describe('beside a version that knows the stream alone', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;

  /** Appends as that version does. */
  const appendAsBefore = async (text: string): Promise<EventId> => {
    const newest = await redis.cli('xrevrange', keys.log, '+', '-', 'count', '1');
    const prev = newest.split('\n')[0] || ORIGIN;
    const id = await redis.cli('xadd', keys.log, '*', 'p', prev, 'f', `data: ${text}\n\n`);
    await redis.cli('pexpire', keys.log, '86460000');
    return id as EventId;
  };
  const append = async (text: string): Promise<EventId> =>
    (await appendTexts(log, keys.channel, [text]))[0] as EventId;
  /** Everything that a reader can ask for. */
  const expectEvents = async (ids: readonly EventId[]): Promise<void> => {
    const { events, tail } = await log.read(keys.channel, ORIGIN, 256, POLICY);
    expect(events.map(({ id }) => id)).toEqual(ids);
    expect(events.map(({ prev }) => prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
    expect(tail).toBe(ids.at(-1));
    for (const [index, id] of ids.entries()) {
      const page = await log.read(keys.channel, id, 256, POLICY);
      expect([page.complete, page.events.map((event) => event.id)]).toEqual([true, ids.slice(index + 1)]);
      expect(await log.rewind(keys.channel, ids.length - 1 - index, POLICY)).toBe(id);
    }
    expect(await log.rewind(keys.channel, ids.length, POLICY)).toBe(ORIGIN);
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    keys = freshChannel();
    log = await openRedisLog({
      url: redis.url,
      prefix: PREFIX,
      idempotencyTtl: 60_000,
    });
  });
  afterEach(() => log.close());

  test('a channel that it has left is read, rewound and gone on with', async () => {
    const ids: EventId[] = [];
    for (let i = 0; i < 5; i++) ids.push(await appendAsBefore(String(i)));
    await expectEvents(ids);
    for (let i = 0; i < 5; i++) ids.push(await append(String(i)));
    await expectEvents(ids);
  });

  test('a channel that it has left without events still knows its tail', async () => {
    const tail = await appendAsBefore('gone');
    await redis.cli('xtrim', keys.log, 'maxlen', '0');
    expect(await log.rewind(keys.channel, 0, POLICY)).toBe(tail);
    expect(await log.read(keys.channel, tail, 10, POLICY)).toMatchObject({ events: [], complete: true });
    const id = await append('next');
    expect(await log.read(keys.channel, tail, 10, POLICY)).toMatchObject({
      events: [{ id, prev: tail }],
      complete: true,
    });
  });

  test('events of both, in turns and many at a time, are one chain', async () => {
    const ids = [await append('new')];
    for (let i = 0; i < 3; i++) {
      ids.push(await appendAsBefore(`old ${i}`), await appendAsBefore(`old again ${i}`));
      await expectEvents(ids);
      ids.push(await append(`new ${i}`));
      await expectEvents(ids);
    }
    for (let i = 0; i < 40; i++) ids.push(await appendAsBefore(`many ${i}`));
    await expectEvents(ids);
    ids.push(await append('last'));
    await expectEvents(ids);
  });
});
