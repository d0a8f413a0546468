import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { MAX_APPENDED, MAX_APPENDED_BYTES } from '../../src/log/event-log.ts';
import type { Appended, EventLog, HistoryPolicy, LogPage } from '../../src/log/event-log.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { Listener } from '../support/listener.ts';

const LONG = 1_000;
const POLICY: HistoryPolicy = { size: 1_000, ttl: 60_000 };

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`);
const idsOf = (appended: readonly Appended[]): EventId[] => appended.map(({ id }) => id);
const replays = (appended: readonly Appended[]): boolean[] => appended.map(({ replayed }) => replayed);
const recordsOf = (all: readonly string[]): string[] => all.map((data) => encodeRecord({ data }));

/** What every log promises for several events in one append, and for a policy that changes between calls. */
export function eventBatchContract(create: () => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;

  const append = async (
    all: readonly string[],
    { policy = POLICY, key }: { policy?: HistoryPolicy; key?: string } = {},
  ): Promise<readonly Appended[]> =>
    await log.append(
      channel,
      all.map((data) => ({ data })),
      { policy, idempotencyKey: key },
    );
  const read = (after: EventId, policy = POLICY, limit = LONG): Promise<LogPage> =>
    log.read(channel, after, limit, policy);
  const records = async (): Promise<string[]> =>
    (await read(ORIGIN)).events.map(({ record }) => record.toString());

  beforeEach(async () => {
    channel = parseChannelName(`batch-${randomUUID()}`);
    log = await create();
  });

  describe('several events in one append', () => {
    test('keep their order, name their predecessors, and have increasing ids', async () => {
      const [before] = idsOf(await append(['before']));
      const ids = idsOf(await append(texts(50)));
      const [after] = idsOf(await append(['after']));
      const all = [before, ...ids, after] as EventId[];
      for (const [i, id] of all.entries())
        if (i > 0) expect(compareEventIds(all[i - 1] as EventId, id)).toBeLessThan(0);
      const { events, tail, complete } = await read(ORIGIN);
      expect([tail, complete]).toEqual([after, true]);
      expect(events.map(({ id }) => id)).toEqual(all);
      expect(events.map(({ prev }) => prev)).toEqual([ORIGIN, ...all.slice(0, -1)]);
      expect(await records()).toEqual(recordsOf(['before', ...texts(50), 'after']));
      for (const [i, id] of all.entries()) {
        const page = await read(id);
        expect([page.complete, page.events.map((event) => event.id)]).toEqual([true, all.slice(i + 1)]);
        expect(await log.rewind(channel, all.length - 1 - i, POLICY)).toBe(id);
      }
    });

    test('arrive in one announcement, after they can be read', async () => {
      const listener = new Listener();
      const stop = log.follow(channel, listener);
      await listener.following();
      const ids = idsOf(await append(texts(20)));
      await listener.heard((id) => id === ids.at(-1));
      expect(listener.announcements).toEqual([20]);
      expect(listener.ids).toEqual(ids);
      expect(listener.events.map(({ prev }) => prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
      expect(listener.events.map(({ record }) => record.toString())).toEqual(recordsOf(texts(20)));
      expect((await read(ORIGIN)).events.map(({ id }) => id)).toEqual(ids);
      stop();
    });

    test('have no event of another append between them', async () => {
      const all = await Promise.all(Array.from({ length: 20 }, () => append(texts(10)).then(idsOf)));
      const kept = (await read(ORIGIN)).events.map(({ id }) => id);
      expect(kept).toHaveLength(200);
      for (const ids of all) {
        const start = kept.indexOf(ids[0] as EventId);
        expect(kept.slice(start, start + 10)).toEqual(ids);
      }
    });

    test('as many as one append takes, 4 KB each, are read back unchanged', async () => {
      const large = texts(MAX_APPENDED).map((text) => text.padEnd(1_638, 'é☃'));
      const listener = new Listener();
      const stop = log.follow(channel, listener);
      await listener.following();
      const ids = idsOf(await append(large));
      await listener.heard((id) => id === ids.at(-1));
      const kept: string[] = [];
      let after = ORIGIN;
      for (;;) {
        const { events, complete } = await read(after);
        expect(complete).toBe(true);
        if (events.length === 0) break;
        kept.push(...events.map(({ record }) => record.toString()));
        after = events.at(-1)?.id as EventId;
      }
      expect(kept).toEqual(recordsOf(large));
      expect(listener.events.map(({ record }) => record.toString())).toEqual(recordsOf(large));
      expect(listener.ids).toEqual(ids);
      stop();
    });

    test.each([
      ['more than an append takes', texts(MAX_APPENDED + 1)],
      ['of more bytes than an append takes', ['é'.repeat(MAX_APPENDED_BYTES / 2), 'x']],
    ])('%s are refused, and none is appended or announced', async (_kind, all) => {
      const listener = new Listener();
      const stop = log.follow(channel, listener);
      await listener.following();
      await expect(append(all, { key: 'k' })).rejects.toMatchObject({
        name: 'BrokerError',
        code: 'body-too-large',
        message: expect.stringContaining('publish fewer at a time') as string,
      });
      // The key leads to nothing: as many as an append takes go in with it.
      const ids = idsOf(await append(texts(MAX_APPENDED), { key: 'k' }));
      await listener.heard((id) => id === ids.at(-1));
      expect(listener.ids).toEqual(ids);
      expect((await read(ORIGIN)).events.map(({ id }) => id)).toEqual(ids);
      stop();
    });

    test('as many bytes as an append takes are taken, and one event may have more', async () => {
      const half = 'é'.repeat(MAX_APPENDED_BYTES / 4);
      expect(await append([half, half])).toHaveLength(2);
      expect(await append([half + half + half])).toHaveLength(1);
    });

    test('more events than the channel keeps: all are announced, and the newest are kept', async () => {
      const policy = { size: 7, ttl: 60_000 };
      const listener = new Listener();
      const stop = log.follow(channel, listener);
      await listener.following();
      const earlier = idsOf(await append(texts(5), { policy }));
      const ids = idsOf(await append(texts(200), { policy }));
      await listener.heard((id) => id === ids.at(-1));
      expect(listener.ids).toEqual([...earlier, ...ids]);
      const page = await read(ORIGIN, policy);
      expect([page.complete, page.tail]).toEqual([false, ids.at(-1)]);
      expect(page.events.map(({ id }) => id)).toEqual(ids.slice(-7));
      expect(await log.rewind(channel, LONG, policy)).toBe(ids.at(-8));
      expect((await read(ids.at(-8) as EventId, policy)).complete).toBe(true);
      stop();
    });
  });

  describe('an idempotency key with several events', () => {
    test('covers each position: a repeated append adds nothing and is not announced', async () => {
      const listener = new Listener();
      const stop = log.follow(channel, listener);
      await listener.following();
      const first = await append(texts(5), { key: 'k' });
      const again = await append(texts(5), { key: 'k' });
      expect(replays(first)).toEqual(Array.from({ length: 5 }, () => false));
      expect(replays(again)).toEqual(Array.from({ length: 5 }, () => true));
      expect(idsOf(again)).toEqual(idsOf(first));
      const [last] = idsOf(await append(['last']));
      await listener.heard((id) => id === last);
      expect(listener.announcements).toEqual([5, 1]);
      expect(await records()).toEqual(recordsOf([...texts(5), 'last']));
      stop();
    });

    test('a repeated append with more events adds only the new ones, and returns all ids in order', async () => {
      const first = idsOf(await append(texts(2), { key: 'k' }));
      const [between] = idsOf(await append(['between']));
      const longer = await append(texts(5), { key: 'k' });
      expect(replays(longer)).toEqual([true, true, false, false, false]);
      expect(idsOf(longer).slice(0, 2)).toEqual(first);
      const { events } = await read(ORIGIN);
      expect(events.map(({ id }) => id)).toEqual([...first, between, ...idsOf(longer).slice(2)]);
      expect(await records()).toEqual(recordsOf(['t0', 't1', 'between', 't2', 't3', 't4']));
    });

    test('position 0 is the same as a single event with the key', async () => {
      const [one] = idsOf(await append(['t0'], { key: 'k' }));
      const many = await append(texts(3), { key: 'k' });
      expect(replays(many)).toEqual([true, false, false]);
      expect(many[0]?.id).toBe(one);
      const [again] = await append(['t0'], { key: 'k' });
      expect(again).toEqual({ id: one, replayed: true });
    });

    test('concurrent appends with one key append the events once', async () => {
      const all = await Promise.all(Array.from({ length: 30 }, () => append(texts(10), { key: 'k' })));
      expect(new Set(all.flatMap(idsOf)).size).toBe(10);
      expect(all.filter((one) => replays(one).includes(false))).toHaveLength(1);
      expect(await records()).toEqual(recordsOf(texts(10)));
    });
  });

  describe('a policy that changes between calls', () => {
    test('a smaller size at a read or a rewind shows the newest only; a larger size shows all again', async () => {
      const ids = idsOf(await append(texts(20)));
      const small = { size: 5, ttl: 60_000 };
      const page = await read(ORIGIN, small);
      expect([page.complete, page.events.map(({ id }) => id)]).toEqual([false, ids.slice(-5)]);
      expect((await read(ids[14] as EventId, small)).complete).toBe(true);
      expect((await read(ids[13] as EventId, small)).complete).toBe(false);
      expect(await log.rewind(channel, 10, small)).toBe(ids[14]);
      expect(await log.rewind(channel, 3, small)).toBe(ids[16]);
      expect((await read(ORIGIN)).events.map(({ id }) => id)).toEqual(ids);
      expect(await log.rewind(channel, 10, POLICY)).toBe(ids[9]);
    });

    test('a shorter ttl at a read shows only younger events', async () => {
      const ids = idsOf(await append(texts(3)));
      const short = { size: 1_000, ttl: 30 };
      const kept = async (): Promise<EventId[]> => (await read(ORIGIN, short)).events.map(({ id }) => id);
      await expect.poll(kept, { interval: 20 }).toEqual([]);
      const tail = ids.at(-1) as EventId;
      expect(await read(tail, short)).toMatchObject({ events: [], tail, complete: true });
      expect(await log.rewind(channel, 2, short)).toBe(tail);
      expect((await read(ORIGIN)).events.map(({ id }) => id)).toEqual(ids);
    });

    test('a smaller size at an append is reached over several appends; a larger size counts from then on', async () => {
      const ids = idsOf(await append(texts(200)));
      const small = { size: 5, ttl: 60_000 };
      for (let i = 0; i < 20; i++) ids.push(...idsOf(await append(texts(1), { policy: small })));
      expect((await read(ORIGIN, small)).events.map(({ id }) => id)).toEqual(ids.slice(-5));
      // A larger size does not bring back trimmed events.
      expect((await read(ids[0] as EventId)).complete).toBe(false);
      const kept = (await read(ORIGIN)).events.length;
      expect(kept).toBeLessThan(200);
      for (let i = 0; i < 20; i++) ids.push(...idsOf(await append(texts(1))));
      expect((await read(ORIGIN)).events.map(({ id }) => id)).toEqual(ids.slice(-20 - kept));
    });
  });
}
