import { beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { EventLog, HistoryPolicy } from '../../src/log/event-log.ts';
import { TestedChannel, recordsOf } from '../support/tested-channel.ts';

/** What every log promises for a channel that is cleared. */
export function eventClearContract(create: () => Promise<EventLog>): void {
  let channel: TestedChannel;
  beforeEach(async () => {
    channel = new TestedChannel(await create());
  });

  describe('clear', () => {
    test('leaves one event that says so, with a later id', async () => {
      const listener = await channel.follow();
      const [first, second] = (await channel.append(['a', 'b'])) as [EventId, EventId];
      expect(await channel.clear()).toBe(true);
      await listener.until(() => listener.ids.length > 2);
      const { tail, status } = await channel.state();
      expect(status).toBe('empty');
      expect(compareEventIds(second, tail)).toBeLessThan(0);
      expect(listener.ids).toEqual([first, second, tail]);
      expect(listener.events.at(-1)).toMatchObject({ id: tail, prev: second });
      expect(listener.events.at(-1)?.record.toString()).toBe(channel.cleared);
      expect(await channel.records()).toEqual([channel.cleared]);
      // Those that had all events have missed nothing; all others have.
      for (const [after, complete] of [
        [ORIGIN, false],
        [first, false],
        [second, true],
      ] as const) {
        const page = await channel.read(after);
        expect([page.complete, page.tail, page.ended]).toEqual([complete, tail, false]);
        expect(page.events.map(({ id, prev }) => [prev, id])).toEqual([[second, tail]]);
      }
      expect(await channel.read(tail)).toMatchObject({ events: [], complete: true });
      expect(await channel.rewind()).toBe(second);
      expect(await channel.rewind(0)).toBe(tail);
    });

    test('of an empty channel does nothing, also of one that was cleared', async () => {
      expect(await channel.clear()).toBe(false);
      await channel.append(['a']);
      expect(await channel.clear()).toBe(true);
      const { tail } = await channel.state();
      expect(await channel.clear()).toBe(false);
      expect(await channel.state()).toEqual({ tail, status: 'empty' });
    });

    test('forgets the end, and the channel goes on', async () => {
      const end = await channel.last(['a'], { end: true });
      expect(await channel.clear()).toBe(true);
      const { tail } = await channel.state();
      const next = await channel.last(['b'], { ifLast: tail });
      expect(await channel.state()).toEqual({ tail: next, status: 'open' });
      expect(await channel.records()).toEqual([channel.cleared, ...recordsOf(['b'])]);
      expect((await channel.read(end)).events.map(({ id }) => id)).toEqual([tail, next]);
      expect(await channel.append([], { end: true })).toEqual([next]);
      expect(await channel.clear()).toBe(true);
    });

    test('of a channel that ended without an event', async () => {
      await channel.append([], { end: true });
      expect(await channel.clear()).toBe(true);
      expect(await channel.read(ORIGIN)).toMatchObject({ complete: true, ended: false });
      expect(await channel.records()).toEqual([channel.cleared]);
    });

    test('a condition goes by the tail, and the channel had events', async () => {
      await channel.append(['a']);
      await channel.clear();
      const { tail } = await channel.state();
      await expect(channel.append(['b'], { ifLast: ORIGIN })).rejects.toMatchObject({ members: { tail } });
      await channel.append(['b'], { ifLast: tail });
    });

    test.each([0, 1])('with a history of %i events', async (size) => {
      const small: HistoryPolicy = { size, ttl: 60_000 };
      const listener = await channel.follow();
      const before = await channel.last(['a', 'b'], { policy: small });
      expect(await channel.clear(small)).toBe(true);
      const { tail, status } = await channel.state();
      expect(status).toBe('empty');
      await listener.heard((id) => id === tail);
      expect(await channel.records(small)).toEqual([channel.cleared].slice(0, size));
      expect((await channel.read(before, small)).complete).toBe(size > 0);
      expect(await channel.read(tail, small)).toMatchObject({ events: [], tail, complete: true });
      expect(await channel.clear(small)).toBe(false);
    });

    test('of events that are gone already still says so', async () => {
      const short: HistoryPolicy = { size: 100, ttl: 30 };
      const tail = await channel.last(['a'], { policy: short });
      await expect.poll(() => channel.records(short), { interval: 20 }).toEqual([]);
      expect(await channel.clear()).toBe(true);
      expect((await channel.read(tail)).events.map(({ record }) => record.toString())).toEqual([
        channel.cleared,
      ]);
    });

    test('of many events, again and again: only what came after is left, and ids increase', async () => {
      const many = Array.from({ length: 200 }, (_, i) => `${i}`);
      const policy: HistoryPolicy = { size: 1_000, ttl: 60_000 };
      let before = ORIGIN;
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 3; i++) {
          const ids = await channel.append(many, { policy });
          expect(compareEventIds(before, ids[0] as EventId)).toBeLessThan(0);
          before = ids.at(-1) as EventId;
        }
        expect(await channel.clear(policy)).toBe(true);
        const ids = await channel.append(['x', 'y', 'z'], { policy });
        expect(await channel.records(policy)).toEqual([channel.cleared, ...recordsOf(['x', 'y', 'z'])]);
        expect(await channel.rewind(2, policy)).toBe(ids[0]);
        expect((await channel.read(before, policy)).complete).toBe(true);
        expect((await channel.read(ORIGIN, policy)).complete).toBe(false);
        before = ids.at(-1) as EventId;
      }
    });

    test('while events are appended loses none of those after it', async () => {
      const listener = await channel.follow();
      const work = Array.from({ length: 60 }, async (_, i) => {
        if (i % 6 === 5) await channel.clear();
        else await channel.append([`${i}`]);
      });
      await Promise.all(work);
      const { tail } = await channel.state();
      await listener.heard((id) => id === tail);
      const records = listener.events.map(({ record }) => record.toString());
      for (const [i, { prev }] of listener.events.entries()) expect(prev).toBe(listener.ids[i - 1] ?? ORIGIN);
      expect(await channel.records()).toEqual(records.slice(records.lastIndexOf(channel.cleared)));
    });
  });
}
