import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';

/** What every log promises to listeners that follow a channel. */
export function eventFollowingContract(create: () => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;

  const append = async (data: string, idempotencyKey?: string): Promise<EventId> =>
    (await appendOne(log, channel, data, { idempotencyKey })).id;
  /** Appends one event after the other. */
  const appendMany = async (count: number): Promise<EventId[]> => {
    const ids: EventId[] = [];
    for (let i = 1; i <= count; i++) ids.push(await append(String(i)));
    return ids;
  };

  describe('follow', () => {
    let listener: Listener;
    let stop: () => void;
    beforeEach(async () => {
      channel = parseChannelName(`follow-${randomUUID()}`);
      log = await create();
      listener = new Listener();
      stop = () => undefined;
    });
    afterEach(() => stop());

    test('gives the tail, then every later event in order', async () => {
      const [, tail] = await appendMany(2);
      stop = log.follow(channel, listener);
      expect(listener.tail).toBeUndefined();
      expect(await listener.following()).toBe(tail);
      const ids = await appendMany(50);
      await listener.heard((id) => id === ids.at(-1));
      expect(listener.ids).toEqual(ids);
    });

    test('an announced event can already be read', async () => {
      stop = log.follow(channel, listener);
      await listener.following();
      for (let i = 0; i < 20; i++) {
        const id = await append(String(i));
        await listener.heard((heard) => heard === id);
        expect((await log.read(channel, ORIGIN, 1, POLICY)).tail).toBe(id);
      }
    });

    test('announces an event once, with its record and predecessor, and does not announce a repeated append', async () => {
      stop = log.follow(channel, listener);
      await listener.following();
      const first = await append('a', 'k');
      await append('a', 'k');
      const last = await append('b');
      await listener.heard((id) => id === last);
      expect(listener.events.map(({ id, prev, record }) => [id, prev, record.toString()])).toEqual([
        [first, ORIGIN, encodeRecord({ data: 'a' })],
        [last, first, encodeRecord({ data: 'b' })],
      ]);
    });

    test('loses no event between the tail and the announcements while appends go on', async () => {
      const appending = appendMany(300);
      stop = log.follow(channel, listener);
      const tail = await listener.following();
      const ids = await appending;
      await listener.heard((id) => id === ids.at(-1) || tail === ids.at(-1));
      const expected = ids.filter((id) => compareEventIds(id, tail) > 0);
      expect(listener.ids.filter((id) => compareEventIds(id, tail) > 0)).toEqual(expected);
    });

    test('announces to both of two listeners; when one stops, the other goes on', async () => {
      const other = new Listener();
      const stopOther = log.follow(channel, other);
      stop = log.follow(channel, listener);
      await Promise.all([listener.following(), other.following()]);
      const a = await append('a');
      await Promise.all([other.heard((id) => id === a), listener.heard((id) => id === a)]);
      stopOther();
      const b = await append('b');
      await listener.heard((id) => id === b);
      expect(other.ids).toEqual([a]);
    });

    test('a listener that stops at once is not called', async () => {
      const left = new Listener();
      log.follow(channel, left)();
      stop = log.follow(channel, listener);
      await listener.following();
      const id = await append('a');
      await listener.heard((heard) => heard === id);
      expect([left.tail, left.ids]).toEqual([undefined, []]);
    });

    test('a channel can be followed again after a stop', async () => {
      for (let i = 0; i < 5; i++) {
        const one = new Listener();
        const stopOne = log.follow(channel, one);
        await one.following();
        const id = await append(String(i));
        await one.heard((heard) => heard === id);
        expect(one.ids).toEqual([id]);
        stopOne();
        stopOne();
      }
    });

    test('a listener hears its own channel only', async () => {
      const other = parseChannelName(`contract-${randomUUID()}`);
      stop = log.follow(channel, listener);
      await listener.following();
      await appendOne(log, other, 'foreign');
      const id = await append('own');
      await listener.heard((heard) => heard === id);
      expect(listener.ids).toEqual([id]);
    });
  });
}
