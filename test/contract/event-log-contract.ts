import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/core/channel-name.ts';
import type { ChannelName } from '../../src/core/channel-name.ts';
import type { EventLog } from '../../src/core/event-log.ts';
import { ORIGIN, compareEventIds, lastIdBefore, parseEventId } from '../../src/core/event.ts';
import type { EventId } from '../../src/core/event.ts';
import { Listener } from '../support/listener.ts';

export interface ContractOptions {
  readonly historySize: number;
  readonly historyTtl: number;
  readonly idempotencyTtl: number;
}

export const DEFAULTS: ContractOptions = { historySize: 100, historyTtl: 60_000, idempotencyTtl: 60_000 };
const LONG = 1_000;

/** What every log promises, whatever it is made of. */
export function eventLogContract(create: (options: ContractOptions) => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;
  const opened: EventLog[] = [];

  const open = async (options: Partial<ContractOptions> = {}): Promise<EventLog> => {
    const made = await create({ ...DEFAULTS, ...options });
    opened.push(made);
    return made;
  };
  const append = async (text: string, idempotencyKey?: string): Promise<EventId> =>
    (await log.append(channel, { fields: `data: ${text}\n\n` }, { idempotencyKey })).id;
  const appendMany = async (count: number): Promise<EventId[]> => {
    const ids: EventId[] = [];
    for (let i = 1; i <= count; i++) ids.push(await append(String(i)));
    return ids;
  };
  const idsAfter = async (after: EventId): Promise<EventId[]> =>
    (await log.read(channel, after, LONG)).events.map((event) => event.id);

  beforeEach(async () => {
    channel = parseChannelName(`contract-${randomUUID()}`);
    log = await open();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((one) => one.close()));
  });

  describe('append', () => {
    test('gives ids in canonical form that only increase, also within a millisecond', async () => {
      const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => append(String(i))));
      for (const [index, id] of ids.entries()) {
        expect(parseEventId(id)).toBe(id);
        if (index > 0) expect(compareEventIds(ids[index - 1] as EventId, id)).toBeLessThan(0);
      }
    });

    test('each event names its predecessor, the first one the origin', async () => {
      const ids = await appendMany(5);
      const { events } = await log.read(channel, ORIGIN, LONG);
      expect(events.map((event) => event.prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
    });

    test('the frame is the id, then the bytes that were handed in', async () => {
      const { id } = await log.append(channel, { fields: 'event: créé\ndata: ☃ \u2028 𝄞\n\n' });
      const { events } = await log.read(channel, ORIGIN, 1);
      expect(events[0]?.frame.toString()).toBe(`id: ${id}\nevent: créé\ndata: ☃ \u2028 𝄞\n\n`);
    });

    test('with a known idempotency key appends nothing and answers what it answered', async () => {
      const first = await log.append(channel, { fields: 'data: a\n\n' }, { idempotencyKey: 'k' });
      const second = await log.append(channel, { fields: 'data: b\n\n' }, { idempotencyKey: 'k' });
      expect([first.replayed, second.replayed]).toEqual([false, true]);
      expect(second.id).toBe(first.id);
      expect(await idsAfter(ORIGIN)).toEqual([first.id]);
    });

    test('a hundred at once with one key append one event', async () => {
      const all = await Promise.all(
        Array.from({ length: 100 }, () =>
          log.append(channel, { fields: 'data: a\n\n' }, { idempotencyKey: 'k' }),
        ),
      );
      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    });

    test('an idempotency key belongs to its channel', async () => {
      await append('a', 'k');
      const other = parseChannelName(`contract-${randomUUID()}`);
      expect((await log.append(other, { fields: 'data: b\n\n' }, { idempotencyKey: 'k' })).replayed).toBe(
        false,
      );
    });

    test('an idempotency key is forgotten after its time', async () => {
      log = await open({ idempotencyTtl: 30 });
      const first = await append('a', 'k');
      await expect.poll(() => append('b', 'k'), { interval: 20 }).not.toBe(first);
    });
  });

  describe('read', () => {
    test('gives what lies strictly after the position, oldest first', async () => {
      const ids = await appendMany(10);
      expect(await idsAfter(ids[3] as EventId)).toEqual(ids.slice(4));
    });

    test('gives no more than asked for, and goes on from there', async () => {
      const ids = await appendMany(10);
      const page = await log.read(channel, ORIGIN, 4);
      expect(page.events.map((event) => event.id)).toEqual(ids.slice(0, 4));
      expect(page.tail).toBe(ids.at(-1));
      expect(await idsAfter(ids[3] as EventId)).toEqual(ids.slice(4));
    });

    test('a page of large events is cut short, but has at least one', async () => {
      const large = 'x'.repeat(300_000);
      const ids = [await append(large), await append(large), await append('small')];
      expect(await idsAfter(ORIGIN)).toEqual(ids.slice(0, 1));
      expect(await idsAfter(ids[0] as EventId)).toEqual(ids.slice(1, 2));
    });

    test('a channel that never was is empty and complete from the origin only', async () => {
      const empty = { events: [], tail: ORIGIN };
      expect(await log.read(channel, ORIGIN, LONG)).toMatchObject({ ...empty, complete: true });
      expect(await log.read(channel, '5-0' as EventId, LONG)).toMatchObject({ ...empty, complete: false });
    });

    test('proves completeness from the origin, from every event, and from the tail', async () => {
      const ids = await appendMany(5);
      for (const from of [ORIGIN, ...ids]) expect((await log.read(channel, from, LONG)).complete).toBe(true);
    });

    test('cannot prove it from a position that no event of it has', async () => {
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
        expect((await log.read(channel, from, LONG)).complete).toBe(false);
      }
    });

    test('keeps exactly as many events as it is told to, and says when some are gone', async () => {
      log = await open({ historySize: 7 });
      const ids = await appendMany(20);
      expect(await idsAfter(ORIGIN)).toEqual(ids.slice(-7));
      expect((await log.read(channel, ORIGIN, LONG)).complete).toBe(false);
      expect((await log.read(channel, ids[11] as EventId, LONG)).complete).toBe(false);
      // The predecessor of the oldest that is left: trimmed itself, yet nothing after it is missing.
      expect((await log.read(channel, ids[12] as EventId, LONG)).complete).toBe(true);
    });

    test('says how many more events the channel takes before the first of a page is gone', async () => {
      log = await open({ historySize: 7 });
      const ids = await appendMany(5);
      const room = async (after: EventId): Promise<number> => (await log.read(channel, after, 3)).room;
      expect([await room(ORIGIN), await room(ids[2] as EventId)]).toEqual([2, 5]);
      ids.push(...(await appendMany(20)));
      expect([await room(ORIGIN), await room(ids.at(-2) as EventId)]).toEqual([0, 6]);
    });

    test('what is older than its time is gone, and the tail remains', async () => {
      log = await open({ historyTtl: 40 });
      const ids = await appendMany(3);
      const tail = ids[2] as EventId;
      await expect.poll(() => idsAfter(ORIGIN), { interval: 20 }).toEqual([]);
      expect(await log.read(channel, tail, LONG)).toMatchObject({ events: [], tail, complete: true });
      const late = await log.read(channel, ids[0] as EventId, LONG);
      expect(late).toMatchObject({ events: [], tail, complete: false });
      const next = await append('next');
      expect(await log.read(channel, tail, LONG)).toMatchObject({
        events: [{ id: next, prev: tail }],
        complete: true,
      });
    });
  });

  describe('rewind', () => {
    test('finds the position that many events back, as far as there are any', async () => {
      const ids = await appendMany(50);
      expect(await log.rewind(channel, 0)).toBe(ids[49]);
      expect(await log.rewind(channel, 1)).toBe(ids[48]);
      expect(await log.rewind(channel, 40)).toBe(ids[9]);
      expect(await log.rewind(channel, 50)).toBe(ORIGIN);
      expect(await log.rewind(channel, 1_000_000)).toBe(ORIGIN);
    });

    test('stops before what has been trimmed', async () => {
      log = await open({ historySize: 5 });
      const ids = await appendMany(20);
      expect(await log.rewind(channel, 100)).toBe(ids[14]);
    });

    test('an unused channel is at its origin', async () => {
      expect(await log.rewind(channel, 10)).toBe(ORIGIN);
    });
  });

  describe('follow', () => {
    test('gives the tail, then everything appended later, in order', async () => {
      const [, tail] = await appendMany(2);
      const listener = new Listener();
      const following = log.follow(channel, listener);
      expect(await following.started).toBe(tail);
      const ids = await appendMany(50);
      await listener.heard((id) => id === ids.at(-1));
      expect(listener.ids).toEqual(ids);
      following.stop();
    });

    test('what is heard can be read already', async () => {
      const listener = new Listener();
      const following = log.follow(channel, listener);
      await following.started;
      for (let i = 0; i < 20; i++) {
        const id = await append(String(i));
        await listener.heard((heard) => heard === id);
        expect((await log.read(channel, ORIGIN, LONG)).tail).toBe(id);
      }
      following.stop();
    });

    test('an event is heard once with its frame and predecessor, a repeated one not again', async () => {
      const listener = new Listener();
      const following = log.follow(channel, listener);
      await following.started;
      const first = await append('a', 'k');
      await append('a', 'k');
      const last = await append('b');
      await listener.heard((id) => id === last);
      expect(listener.events.map(({ id, prev, frame }) => [id, prev, frame.toString()])).toEqual([
        [first, ORIGIN, `id: ${first}\ndata: a\n\n`],
        [last, first, `id: ${last}\ndata: b\n\n`],
      ]);
      following.stop();
    });

    test('with appends going on, nothing falls between the tail and what is heard', async () => {
      const appending = appendMany(300);
      const listener = new Listener();
      const following = log.follow(channel, listener);
      const tail = await following.started;
      const ids = await appending;
      await listener.heard((id) => id === ids.at(-1) || tail === ids.at(-1));
      const expected = ids.filter((id) => compareEventIds(id, tail) > 0);
      expect(listener.ids.filter((id) => compareEventIds(id, tail) > 0)).toEqual(expected);
      following.stop();
    });

    test('two who follow both hear; when one stops the other goes on', async () => {
      const [one, two] = [new Listener(), new Listener()];
      const first = log.follow(channel, one);
      const second = log.follow(channel, two);
      await Promise.all([first.started, second.started]);
      const a = await append('a');
      await Promise.all([one.heard((id) => id === a), two.heard((id) => id === a)]);
      first.stop();
      const b = await append('b');
      await two.heard((id) => id === b);
      expect(one.ids).toEqual([a]);
      second.stop();
    });

    test('stopped and followed again, it hears again', async () => {
      const listener = new Listener();
      for (let i = 0; i < 5; i++) {
        const following = log.follow(channel, listener);
        await following.started;
        const id = await append(String(i));
        await listener.heard((heard) => heard === id);
        following.stop();
      }
      expect(listener.ids).toHaveLength(5);
    });

    test('channels do not hear each other', async () => {
      const other = parseChannelName(`contract-${randomUUID()}`);
      const listener = new Listener();
      const following = log.follow(channel, listener);
      await following.started;
      await log.append(other, { fields: 'data: foreign\n\n' });
      const id = await append('own');
      await listener.heard((heard) => heard === id);
      expect(listener.ids).toEqual([id]);
      following.stop();
    });
  });

  test('health is good while it answers', async () => {
    await expect.poll(() => log.health()).toEqual({ up: true, reason: '', detail: '', slotsDown: 0 });
  });
}
