import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { Appended, EventLog, HistoryPolicy, LogPage } from '../../src/log/event-log.ts';
import { ORIGIN, compareEventIds, lastIdBefore, parseEventId } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { readRecord } from '../../src/events/record.ts';
import { eventBatchContract } from './event-batch-contract.ts';
import { eventClearContract } from './event-clear-contract.ts';
import { eventEndContract } from './event-end-contract.ts';
import { eventKeyContract } from './event-key-contract.ts';
import { eventLatestContract } from './event-latest-contract.ts';
import { eventFollowingContract } from './event-following-contract.ts';
import { eventHistoryContract } from './event-history-contract.ts';
import { logCatalogContract } from './log-catalog-contract.ts';

export interface ContractOptions {
  readonly idempotencyTtl: number;
  readonly onKeysDropped?: (keys: number) => void;
}

export const DEFAULTS: ContractOptions = { idempotencyTtl: 60_000 };
/** The largest number of events in a page. */
const LONG = 1_000;

/** What every log promises, on any backend. */
export function eventLogContract(create: (options: ContractOptions) => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;
  let policy: HistoryPolicy;
  const opened: EventLog[] = [];

  const open = async (options: Partial<ContractOptions> = {}): Promise<EventLog> => {
    const made = await create({ ...DEFAULTS, ...options });
    opened.push(made);
    return made;
  };
  const append = async (data: string, idempotencyKey?: string): Promise<EventId> => {
    const [appended] = await log.append(channel, [{ data }], { policy, idempotencyKey });
    return (appended as Appended).id;
  };
  /** Appends one event after the other. */
  const appendMany = async (count: number): Promise<EventId[]> => {
    const ids: EventId[] = [];
    for (let i = 1; i <= count; i++) ids.push(await append(String(i)));
    return ids;
  };
  const read = (after: EventId, limit = LONG): Promise<LogPage> => log.read(channel, after, limit, policy);
  const room = async (after: EventId): Promise<number> => (await read(after, 3)).room;
  const rewind = (count: number): Promise<EventId> => log.rewind(channel, count, policy);
  const idsAfter = async (after: EventId): Promise<EventId[]> =>
    (await read(after)).events.map((event) => event.id);

  beforeEach(async () => {
    channel = parseChannelName(`contract-${randomUUID()}`);
    policy = { size: 100, ttl: 60_000 };
    log = await open();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  describe('append', () => {
    test('returns canonical ids that increase, also within a millisecond', async () => {
      const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => append(String(i))));
      for (const [index, id] of ids.entries()) {
        expect(parseEventId(id)).toBe(id);
        if (index > 0) expect(compareEventIds(ids[index - 1] as EventId, id)).toBeLessThan(0);
      }
    });

    test('each event names its predecessor; the first one names the origin', async () => {
      const ids = await appendMany(5);
      const { events } = await read(ORIGIN);
      expect(events.map((event) => event.prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
    });

    test('keeps the type, the key, the last flag and the data byte for byte', async () => {
      const data = 'créé ☃ \u2028 𝄞\r\nline\rline\n\n';
      await log.append(channel, [{ type: 'créé ☃', key: 'k-1', data }], { policy });
      const { events } = await read(ORIGIN, 1);
      const record = readRecord(events[0]?.record ?? Buffer.of());
      expect(record).toMatchObject({ version: 1, type: 'créé ☃', key: 'k-1' });
      expect('data' in record && record.data.toString()).toBe(data);
    });

    test('with a known idempotency key, appends nothing and returns the first answer', async () => {
      const options = { policy, idempotencyKey: 'k' };
      const [first] = await log.append(channel, [{ data: 'a' }], options);
      const [second] = await log.append(channel, [{ data: 'a' }], options);
      expect([first?.replayed, second?.replayed]).toEqual([false, true]);
      expect(second?.id).toBe(first?.id);
      expect(await idsAfter(ORIGIN)).toEqual([first?.id]);
    });

    test('a hundred concurrent appends with one key append one event', async () => {
      const options = { policy, idempotencyKey: 'k' };
      const all = await Promise.all(
        Array.from({ length: 100 }, async () => await log.append(channel, [{ data: 'a' }], options)),
      );
      expect(new Set(all.flat().map(({ id }) => id)).size).toBe(1);
      expect(all.flat().filter(({ replayed }) => !replayed)).toHaveLength(1);
    });

    test('an idempotency key belongs to its channel', async () => {
      await append('a', 'k');
      const other = parseChannelName(`contract-${randomUUID()}`);
      const [appended] = await log.append(other, [{ data: 'b' }], { policy, idempotencyKey: 'k' });
      expect(appended?.replayed).toBe(false);
    });

    test('an idempotency key expires', async () => {
      log = await open({ idempotencyTtl: 30 });
      const first = await append('a', 'k');
      await expect.poll(() => append('a', 'k'), { interval: 20 }).not.toBe(first);
    });
  });

  describe('read', () => {
    test('returns the events strictly after the position, oldest first', async () => {
      const ids = await appendMany(10);
      expect(await idsAfter(ids[3] as EventId)).toEqual(ids.slice(4));
    });

    test('returns no more events than the limit, and continues from there', async () => {
      const ids = await appendMany(10);
      const page = await read(ORIGIN, 4);
      expect(page.events.map((event) => event.id)).toEqual(ids.slice(0, 4));
      expect(page.tail).toBe(ids.at(-1));
      expect(await idsAfter(ids[3] as EventId)).toEqual(ids.slice(4));
    });

    test('cuts a page of large events short, but returns at least one event', async () => {
      const large = 'x'.repeat(300_000);
      const ids = [await append(large), await append(large), await append('small')];
      expect(await idsAfter(ORIGIN)).toEqual(ids.slice(0, 1));
      expect(await idsAfter(ids[0] as EventId)).toEqual(ids.slice(1, 2));
    });

    test('a channel without events is empty, and complete from the origin only', async () => {
      const empty = { events: [], tail: ORIGIN };
      expect(await read(ORIGIN)).toMatchObject({ ...empty, complete: true });
      expect(await read('5-0' as EventId)).toMatchObject({ ...empty, complete: false });
    });

    test('is complete from the origin, from every event, and from the tail', async () => {
      const ids = await appendMany(5);
      for (const from of [ORIGIN, ...ids]) expect((await read(from)).complete).toBe(true);
    });

    test('is incomplete from a position that is not one of its events', async () => {
      const ids = await appendMany(5);
      const first = ids[0] as EventId;
      const tail = ids[4] as EventId;
      const between = `${tail.split('-')[0]}-99999` as EventId;
      for (const from of [
        '1-1' as EventId,
        lastIdBefore(Number(first.split('-')[0])),
        between,
        '18446744073709551615-0' as EventId,
      ]) {
        expect((await read(from)).complete).toBe(false);
      }
    });

    test('keeps exactly as many events as the policy says, and reports when events are gone', async () => {
      policy = { size: 7, ttl: 60_000 };
      const ids = await appendMany(20);
      expect(await idsAfter(ORIGIN)).toEqual(ids.slice(-7));
      expect((await read(ORIGIN)).complete).toBe(false);
      expect((await read(ids[11] as EventId)).complete).toBe(false);
      // The predecessor of the oldest kept event: it is trimmed, but no event after it is missing.
      expect((await read(ids[12] as EventId)).complete).toBe(true);
    });

    test('says how many more events the channel takes before the first event of a page is trimmed', async () => {
      policy = { size: 7, ttl: 60_000 };
      const ids = await appendMany(5);
      expect([await room(ORIGIN), await room(ids[2] as EventId)]).toEqual([2, 5]);
      ids.push(...(await appendMany(20)));
      expect([await room(ORIGIN), await room(ids.at(-2) as EventId)]).toEqual([0, 6]);
    });

    test('events older than the ttl are gone, and the tail remains', async () => {
      policy = { size: 100, ttl: 40 };
      const ids = await appendMany(3);
      const tail = ids[2] as EventId;
      await expect.poll(() => idsAfter(ORIGIN), { interval: 20 }).toEqual([]);
      expect(await read(tail)).toMatchObject({ events: [], tail, complete: true });
      const late = await read(ids[0] as EventId);
      expect(late).toMatchObject({ events: [], tail, complete: false });
      const next = await append('next');
      expect(await read(tail)).toMatchObject({
        events: [{ id: next, prev: tail }],
        complete: true,
      });
    });
  });

  describe('rewind', () => {
    test('finds the position that many events back, or the oldest one', async () => {
      const ids = await appendMany(50);
      expect(await rewind(0)).toBe(ids[49]);
      expect(await rewind(1)).toBe(ids[48]);
      expect(await rewind(40)).toBe(ids[9]);
      expect(await rewind(50)).toBe(ORIGIN);
      expect(await rewind(1_000_000)).toBe(ORIGIN);
    });

    test('stops before trimmed events', async () => {
      policy = { size: 5, ttl: 60_000 };
      const ids = await appendMany(20);
      expect(await rewind(100)).toBe(ids[14]);
    });

    test('returns the origin for a channel without events', async () => {
      expect(await rewind(10)).toBe(ORIGIN);
    });
  });

  eventHistoryContract(() => open());
  eventFollowingContract(() => open());
  eventBatchContract(() => open());
  eventClearContract(() => open());
  eventEndContract(() => open());
  eventKeyContract(() => open());
  logCatalogContract(() => open());
  eventLatestContract((onKeysDropped) => open({ onKeysDropped }));

  test('reports good health while it answers', async () => {
    await expect.poll(() => log.health()).toEqual({ up: true, reason: '', detail: '', slotsDown: 0 });
  });
}
