import { beforeEach, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { EventLog, HistoryPolicy } from '../../src/log/event-log.ts';
import { TestedChannel, recordsOf } from '../support/tested-channel.ts';

const refusal = (tail: EventId): object => ({ code: 'tail-mismatch', members: { tail } });

/** What every log promises for the end of a channel, and for appends with a condition. */
export function eventEndContract(create: () => Promise<EventLog>): void {
  let channel: TestedChannel;
  beforeEach(async () => {
    channel = new TestedChannel(await create());
  });

  describe('the end of a channel', () => {
    test('with events: comes after them, and is in every answer about the channel', async () => {
      const listener = await channel.follow();
      const [first, tail] = await channel.append(['a', 'b'], { end: true });
      await listener.until(() => listener.endedAt.length > 0);
      expect([listener.ids, listener.endedAt]).toEqual([[first, tail], [tail]]);
      expect(await channel.state()).toEqual({ tail, status: 'ended' });
      for (const after of [ORIGIN, first, tail] as EventId[])
        expect(await channel.read(after)).toMatchObject({ tail, ended: true, complete: true });
      expect(await channel.records()).toEqual(recordsOf(['a', 'b']));
      const late = await channel.follow();
      expect([late.tail, late.endedAt]).toEqual([tail, [tail]]);
    });

    test('without events: the tail stays, and is returned', async () => {
      const tail = await channel.last(['a']);
      const listener = await channel.follow();
      expect(await channel.append([], { end: true })).toEqual([tail]);
      await listener.until(() => listener.endedAt.length > 0);
      expect([listener.ids, listener.endedAt]).toEqual([[], [tail]]);
      expect(await channel.state()).toEqual({ tail, status: 'ended' });
      expect(await channel.read(tail)).toMatchObject({ events: [], tail, ended: true, complete: true });
    });

    test('without any event ever: the channel ends at the origin', async () => {
      const listener = await channel.follow();
      expect(await channel.append([], { end: true })).toEqual([ORIGIN]);
      await listener.until(() => listener.endedAt.length > 0);
      expect(listener.endedAt).toEqual([ORIGIN]);
      expect(await channel.state()).toEqual({ tail: ORIGIN, status: 'ended' });
      expect(await channel.read(ORIGIN)).toMatchObject({
        events: [],
        tail: ORIGIN,
        ended: true,
        complete: true,
      });
      await expect(channel.append(['a'])).rejects.toMatchObject({ code: 'channel-ended' });
    });

    test('an open channel is not ended, and nothing appended with nothing to end is nothing', async () => {
      expect(await channel.state()).toEqual({ tail: ORIGIN, status: 'empty' });
      expect(await channel.append([])).toEqual([]);
      expect(await channel.state()).toEqual({ tail: ORIGIN, status: 'empty' });
      const tail = await channel.last(['a']);
      expect(await channel.append([])).toEqual([]);
      expect(await channel.state()).toEqual({ tail, status: 'open' });
      expect((await channel.read(ORIGIN)).ended).toBe(false);
    });

    test('refuses every later append, which changes and announces nothing', async () => {
      const listener = await channel.follow();
      const tail = await channel.last(['a'], { end: true });
      for (const options of [
        {},
        { end: true },
        { ifLast: tail },
        { ifLast: ORIGIN },
        { idempotencyKey: 'k' },
      ]) {
        await expect(channel.append(['b'], options)).rejects.toMatchObject({ code: 'channel-ended' });
        await expect(channel.append([], { ...options, end: true })).rejects.toMatchObject({
          code: 'channel-ended',
        });
      }
      expect(await channel.read(ORIGIN)).toMatchObject({ tail, ended: true });
      expect(await channel.records()).toEqual(recordsOf(['a']));
      await channel.clear();
      await listener.until(() => listener.ids.length > 1);
      expect([listener.announcements, listener.endedAt]).toEqual([[1, 1], [tail]]);
    });

    test('twice at once: one succeeds, the others are refused', async () => {
      const results = await Promise.allSettled(
        Array.from({ length: 10 }, (_, i) => channel.append(i % 2 === 0 ? [`${i}`] : [], { end: true })),
      );
      const refused = results.filter(({ status }) => status === 'rejected');
      expect(refused).toHaveLength(9);
      for (const { reason } of refused as PromiseRejectedResult[])
        expect(reason).toMatchObject({ name: 'BrokerError', code: 'channel-ended' });
    });

    test('outlives the events', async () => {
      const short: HistoryPolicy = { size: 100, ttl: 30 };
      const [tail] = await channel.append(['a'], { policy: short, end: true });
      await expect.poll(() => channel.records(short), { interval: 20 }).toEqual([]);
      expect(await channel.state()).toEqual({ tail, status: 'ended' });
      expect(await channel.read(tail as EventId, short)).toMatchObject({ tail, ended: true, complete: true });
    });

    test.each([0, 1])('with a history of %i events', async (size) => {
      const small: HistoryPolicy = { size, ttl: 60_000 };
      const tail = await channel.last(['a', 'b', 'c'], { policy: small, end: true });
      const page = await channel.read(tail, small);
      expect(page).toMatchObject({ events: [], tail, ended: true, complete: true });
      expect(await channel.records(small)).toEqual(recordsOf(['c']).slice(0, size));
    });
  });

  describe('an append with a condition', () => {
    test('is done when the id is the tail', async () => {
      const first = await channel.last(['a'], { ifLast: ORIGIN });
      const second = await channel.last(['b', 'c'], { ifLast: first });
      await channel.append([], { ifLast: second, end: true });
      expect(await channel.state()).toEqual({ tail: second, status: 'ended' });
      expect(await channel.records()).toEqual(recordsOf(['a', 'b', 'c']));
    });

    test('is refused with the tail when the id is another one, and changes nothing', async () => {
      await expect(channel.append(['a'], { ifLast: '1-0' as EventId })).rejects.toMatchObject(
        refusal(ORIGIN),
      );
      const [first, tail] = (await channel.append(['a', 'b'])) as [EventId, EventId];
      for (const ifLast of [ORIGIN, first, `${tail}0` as EventId]) {
        const options = { ifLast, idempotencyKey: 'k' };
        await expect(channel.append(['c'], options)).rejects.toMatchObject(refusal(tail));
        await expect(channel.append([], { ...options, end: true })).rejects.toMatchObject(refusal(tail));
      }
      expect(await channel.state()).toEqual({ tail, status: 'open' });
      expect(await channel.records()).toEqual(recordsOf(['a', 'b']));
      // The key of the refused appends leads to nothing.
      await channel.append(['d'], { idempotencyKey: 'k', ifLast: tail });
    });

    test('of many at once, one is done', async () => {
      const tail = await channel.last(['a']);
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => channel.append([`${i}`], { ifLast: tail })),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await channel.records()).toHaveLength(2);
    });

    test('after the events are gone, goes by the tail that is left', async () => {
      const short: HistoryPolicy = { size: 100, ttl: 30 };
      const tail = await channel.last(['a'], { policy: short });
      await expect.poll(() => channel.records(short), { interval: 20 }).toEqual([]);
      await expect(channel.append(['b'], { ifLast: ORIGIN })).rejects.toMatchObject({ members: { tail } });
      await channel.append(['b'], { ifLast: tail });
    });
  });
}
