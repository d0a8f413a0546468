import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { readRecord } from '../../src/events/record.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { PREFIX } from '../support/redis-log-fixture.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** Replicas of neighbouring versions share a Redis during an upgrade. */
describe('beside a version that keeps SSE fields, and has no index', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;

  /** Appends an event in the form of that version. */
  const appendAsBefore = async (text: string): Promise<EventId> => {
    const newest = await redis.cli('xrevrange', keys.log, '+', '-', 'count', '1');
    const prev = newest.split('\n')[0] || ORIGIN;
    const id = await redis.cli('xadd', keys.log, '*', 'p', prev, 'f', `data: ${text}\n\n`);
    await redis.cli('pexpire', keys.log, '86460000');
    await redis.cli('publish', keys.live, `${prev}\nid: ${id}\ndata: ${text}\n\n`);
    return id as EventId;
  };
  const append = async (text: string): Promise<EventId> =>
    (await appendTexts(log, keys.channel, [text]))[0] as EventId;
  /** Checks every kind of read. */
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
    log = await openRedisLog({ url: redis.url, prefix: PREFIX, idempotencyTtl: 60_000 });
  });
  afterEach(() => log.close());

  test('a channel of that version can be read, rewound and appended to', async () => {
    const ids: EventId[] = [];
    for (let i = 0; i < 5; i++) ids.push(await appendAsBefore(String(i)));
    await expectEvents(ids);
    for (let i = 0; i < 5; i++) ids.push(await append(String(i)));
    await expectEvents(ids);
  });

  test('an expired channel of that version still has its tail', async () => {
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

  test('events of both versions, in turns and many at a time, are one chain', async () => {
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

  test('an event that it appends after the end opens the channel, and one after a clear ends the empty state', async () => {
    await log.append(keys.channel, [{ data: 'a' }], { policy: POLICY, end: true });
    const tail = await appendAsBefore('b');
    expect(await log.state(keys.channel)).toEqual({ tail, status: 'open' });
    expect(await log.read(keys.channel, ORIGIN, 10, POLICY)).toMatchObject({ tail, ended: false });
    const id = await append('c');
    expect(await log.read(keys.channel, tail, 10, POLICY)).toMatchObject({ events: [{ id, prev: tail }] });
    await log.clear(keys.channel, POLICY);
    const late = await appendAsBefore('d');
    expect(await log.state(keys.channel)).toEqual({ tail: late, status: 'open' });
    expect(await log.clear(keys.channel, POLICY)).toBe(true);
  });

  test('an idempotency key that the release before has remembered, without a digest, leads to its event', async () => {
    await redis.cli('set', keys.idempotency('k'), '5-1');
    const options = { policy: POLICY, idempotencyKey: 'k' };
    await log.checkKeys(keys.channel, [{ data: 'a' }], options);
    expect(await log.append(keys.channel, [{ data: 'a' }], options)).toEqual([{ id: '5-1', replayed: true }]);
  });

  test('its events are read and announced as records of version 0, between records of this version', async () => {
    const listener = new Listener();
    const stop = log.follow(keys.channel, listener);
    await listener.following();
    const ids = [await append('new')];
    for (let i = 0; i < 3; i++) ids.push(await appendAsBefore(`old ${i}`), await append(`new ${i}`));
    await listener.until(() => listener.events.length === ids.length);
    const { events } = await log.read(keys.channel, ORIGIN, 256, POLICY);
    for (const some of [events, listener.events]) {
      expect(some.map(({ id }) => id)).toEqual(ids);
      expect(some.map(({ prev }) => prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
      expect(some.map(({ record }) => textOf(record))).toEqual(
        ['new', 'old 0', 'new 0', 'old 1', 'new 1', 'old 2', 'new 2'].map((text) =>
          text.startsWith('old') ? `0 data: ${text}\n\n` : `1 ${text}`,
        ),
      );
      for (const { record } of some) expect(record.buffer.byteLength).toBe(record.length);
    }
    stop();
  });
});

/** Returns the version of a record, and its text. */
function textOf(record: Buffer): string {
  const read = readRecord(record);
  return `${read.version} ${(read.version === 0 ? read.fields : read.data).toString()}`;
}

describe('beside a future version', () => {
  const FUTURE = '2\nwhatever\n';
  const refusal = {
    code: 'log-unavailable',
    trouble: 'version',
    message: expect.stringContaining('"2"') as string,
  };
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;

  /** Appends as a future version may, and returns the event's id. */
  const appendAsAfter = async (prev: EventId, record = FUTURE): Promise<EventId> => {
    const id = (await redis.cli('xadd', keys.log, '*', 'p', prev, 'r', record)) as EventId;
    await redis.cli('set', keys.tail, id);
    await redis.cli('rpush', keys.ids, `${id} ${Buffer.byteLength(record)}`);
    return id;
  };
  const announce = async (message: string): Promise<void> => {
    await redis.cli('publish', keys.live, message);
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

  test.each([FUTURE, '2', '', '1', '1x\ny', '1\ntype without an end', 'data: x\n\n'])(
    'a record of an unknown form is an error at the start of a page, and ends a page before it: %j',
    async (record) => {
      const ids = await appendTexts(log, keys.channel, ['a', 'b']);
      const future = await appendAsAfter(ids[1] as EventId, record);
      const page = await log.read(keys.channel, ORIGIN, 256, POLICY);
      expect(page).toMatchObject({ complete: true, tail: future });
      expect(page.events.map(({ id }) => id)).toEqual(ids);
      const reading = log.read(keys.channel, ids[1] as EventId, 256, POLICY);
      await expect(reading).rejects.toMatchObject({ code: 'log-unavailable', trouble: 'version' });
      expect(await log.rewind(keys.channel, 1, POLICY)).toBe(ids[1]);
      // The event after it can be read, and publishing goes on.
      const [next] = await appendTexts(log, keys.channel, ['c']);
      expect(await log.read(keys.channel, future, 256, POLICY)).toMatchObject({
        events: [{ id: next, prev: future }],
        complete: true,
      });
    },
  );

  test('the error names the version and says what to do', async () => {
    await appendAsAfter(ORIGIN);
    const reading = log.read(keys.channel, ORIGIN, 256, POLICY);
    await expect(reading).rejects.toMatchObject(refusal);
    await expect(reading).rejects.toThrow(/Upgrade this replica/);
  });

  test.each([
    [
      'an event of another form',
      (id: string, prev: string) => `a${id}\n${prev}\n${id} ${FUTURE.length}\n${FUTURE}`,
    ],
    ['another form of announcement', (id: string) => `c${id}\nwhatever\0\n\n`],
  ])('%s is announced: the listener is asked to read up to its id', async (_, message) => {
    const [first] = await appendTexts(log, keys.channel, ['a']);
    const listener = new Listener();
    const stop = log.follow(keys.channel, listener);
    await listener.following();
    const future = await appendAsAfter(first as EventId);
    await announce(message(future, first as string));
    await listener.until(() => listener.resumedAt.length > 0);
    expect(listener).toMatchObject({ interruptions: 1, resumedAt: [future], events: [] });
    const [next] = await appendTexts(log, keys.channel, ['b']);
    await listener.heard((id) => id === next);
    expect(listener.events.map(({ id, prev }) => [prev, id])).toEqual([[future, next]]);
    stop();
  });
});
