import { beforeEach, describe, expect, test } from 'vitest';
import { MAX_KEYS } from '../../src/events/channel-policies.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { MAX_APPENDED } from '../../src/log/event-log.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';

/** What every log promises for the state of a channel: the newest event of each key. */
export function eventLatestContract(
  create: (onKeysDropped: (keys: number) => void) => Promise<EventLog>,
): void {
  let channel: KeyedChannel;
  let dropped: number;
  beforeEach(async () => {
    dropped = 0;
    channel = new KeyedChannel(await create((keys) => (dropped += keys)));
  });

  describe('the state of a channel', () => {
    test('has the newest event of each key, in the order of their ids', async () => {
      expect(await channel.latest()).toEqual({ events: [], tail: ORIGIN, ended: false, next: undefined });
      await channel.set('a', '1');
      await channel.set('b', '2');
      await channel.publish([{ data: 'no key' }]);
      const a = await channel.set('a', '3');
      const c = await channel.publish([{ key: 'c', type: 'créé', data: 'línea\nline' }]);
      await channel.publish([{ data: 'no key' }]);
      const page = await channel.latest();
      expect(page.events.map(({ record }) => record.toString())).toEqual([
        encodeRecord({ key: 'b', data: '2' }),
        encodeRecord({ key: 'a', data: '3' }),
        encodeRecord({ key: 'c', type: 'créé', data: 'línea\nline' }),
      ]);
      expect(page.events.slice(1).map(({ id }) => id)).toEqual([a, c]);
      expect(page.events.map(({ prev }) => prev)).toEqual([
        ORIGIN,
        ...page.events.slice(0, -1).map(({ id }) => id),
      ]);
      const { tail } = await channel.state();
      expect(page).toMatchObject({ tail, ended: false, next: undefined });
    });

    test('may have the empty key, and keys of all visible characters', async () => {
      const visible = String.fromCodePoint(...Array.from({ length: 94 }, (_, i) => 33 + i));
      const longest = 'k'.repeat(200);
      for (const key of ['', visible, longest, 'k', ':', '']) await channel.set(key, key);
      expect(await channel.entries()).toEqual(
        [visible, longest, 'k', ':', ''].map((key): [string, string] => [key, key]),
      );
    });

    test('outlives the history, and stays as it is when events without keys come', async () => {
      for (const policy of [
        { size: 0, ttl: 60_000 },
        { size: 1, ttl: 60_000 },
        { size: 100, ttl: 30 },
      ]) {
        await channel.set('a', '1', { policy });
        await channel.set('b', '2', { policy });
        await expect.poll(() => channel.records(policy), { interval: 20 }).not.toHaveLength(2);
        await channel.set('c', '3', { policy });
        expect(await channel.entries()).toEqual([
          ['a', '1'],
          ['b', '2'],
          ['c', '3'],
        ]);
      }
      await channel.append(Array.from({ length: MAX_APPENDED }, String));
      expect(await channel.keys()).toEqual(['a', 'b', 'c']);
    });

    test('loses a key that is deleted, and no other', async () => {
      await channel.set('a', '1');
      await channel.set('b', '2');
      await channel.delete('unknown');
      const deleted = await channel.delete('a');
      expect(await channel.entries()).toEqual([['b', '2']]);
      expect((await channel.latest()).tail).toBe(deleted);
      await channel.delete('b');
      expect(await channel.latest()).toMatchObject({ events: [], next: undefined });
      await channel.set('a', '3');
      expect(await channel.entries()).toEqual([['a', '3']]);
      expect(dropped).toBe(0);
    });

    test('changes with each event of an append, in their order', async () => {
      await channel.set('old', '0');
      await channel.publish([
        { key: 'a', data: '1' },
        { data: 'klooks like a key\nin a record' },
        { type: 'klooks like a key', data: 'kas well\n' },
        { type: 'sluice:deleted', data: 'ka\n' },
        { key: 'b', data: '2' },
        channel.deletion('old'),
        { key: 'a', data: '3' },
        { key: 'c', data: '4' },
        channel.deletion('c'),
        channel.deletion('b'),
        { key: 'b', data: '5' },
      ]);
      expect(await channel.entries()).toEqual([
        ['a', '3'],
        ['b', '5'],
      ]);
    });

    test('does not change with an event that is a replay, or is refused', async () => {
      const event = { key: 'a', data: '1' };
      const options = { policy: POLICY, idempotencyKey: 'k' };
      await channel.publish([event], options);
      await channel.set('a', '2');
      await channel.publish([event], options);
      await expect(channel.set('a', '3', { ifLast: ORIGIN })).rejects.toMatchObject({
        code: 'tail-mismatch',
      });
      const end = await channel.set('b', '4', { end: true });
      await expect(channel.set('a', '5')).rejects.toMatchObject({ code: 'channel-ended' });
      expect(await channel.entries()).toEqual([
        ['a', '2'],
        ['b', '4'],
      ]);
      expect(await channel.latest()).toMatchObject({ tail: end, ended: true });
    });

    test('is gone when the channel is cleared, and begins anew', async () => {
      for (let round = 0; round < 3; round++) {
        await channel.set('a', '1');
        await channel.set('b', '2');
        expect(await channel.clear()).toBe(true);
        const { tail } = await channel.state();
        expect(await channel.latest()).toEqual({ events: [], tail, ended: false, next: undefined });
        await channel.set('b', '3');
        expect(await channel.entries()).toEqual([['b', '3']]);
      }
      expect(dropped).toBe(0);
    });
  });

  describe('the number of keys', () => {
    const policy = { ...POLICY, keys: 3 };

    test('is limited; the key that changed longest ago is dropped and counted', async () => {
      for (const key of ['a', 'b', 'c', 'a', 'd', 'e']) await channel.set(key, key, { policy });
      expect(await channel.keys()).toEqual(['a', 'd', 'e']);
      await channel.publish(
        ['f', 'a', 'g', 'h', 'i'].map((key) => ({ key, data: key })),
        { policy },
      );
      expect(await channel.keys()).toEqual(['g', 'h', 'i']);
      expect(dropped).toBe(6);
      // A deleted key makes room for another one.
      await channel.publish([channel.deletion('h'), { key: 'j', data: '1' }], { policy });
      expect(await channel.keys()).toEqual(['g', 'i', 'j']);
      expect(dropped).toBe(6);
    });

    test('follows a lower limit in small steps', async () => {
      await channel.fill(1_000);
      let steps = 0;
      for (let left = 1_000; left > 3; left = (await channel.keys()).length, steps++)
        await channel.set(`new-${steps}`, 'x', { policy });
      expect(steps).toBeGreaterThan(1_000 / 100);
      expect(steps).toBeLessThan(1_000 / 10);
      expect(dropped).toBe(1_000 + steps - 3);
      expect(await channel.keys()).toEqual([3, 2, 1].map((back) => `new-${steps - back}`));
    });

    test('is 1,000 unless the policy says otherwise', async () => {
      await channel.fill(1_000);
      await channel.fill(512, 1_000, POLICY);
      expect(await channel.keys()).toEqual(Array.from({ length: 1_000 }, (_, i) => `key-${512 + i}`));
      expect(dropped).toBe(512);
    });
  });

  describe('a page of the state', () => {
    test('has at most that many events, and the next page goes on', async () => {
      await channel.fill(10);
      const first = await channel.latest(undefined, { limit: 4 });
      expect(channel.keysOf(first.events)).toEqual(['key-0', 'key-1', 'key-2', 'key-3']);
      const second = await channel.latest(first.next, { limit: 4 });
      expect(channel.keysOf(second.events)).toEqual(['key-4', 'key-5', 'key-6', 'key-7']);
      const third = await channel.latest(second.next, { limit: 2 });
      expect(channel.keysOf(third.events)).toEqual(['key-8', 'key-9']);
      expect(third.next).toBeUndefined();
    });

    test('has at most that many bytes, but at least one event', async () => {
      const large = 'x'.repeat(100_000);
      for (const key of ['a', 'b', 'c']) await channel.set(key, large);
      await channel.set('d', large.slice(0, 1_000));
      const first = await channel.latest(undefined, { maxBytes: 50_000 });
      expect(channel.keysOf(first.events)).toEqual(['a']);
      const second = await channel.latest(first.next, { maxBytes: 250_000 });
      expect(channel.keysOf(second.events)).toEqual(['b', 'c', 'd']);
      expect(second.next).toBeUndefined();
      expect(channel.keysOf((await channel.latest(first.next, { maxBytes: 200_100 })).events)).toEqual([
        'b',
        'c',
      ]);
    });

    test('leaves out what has changed since the first page', async () => {
      await channel.fill(10);
      const first = await channel.latest(undefined, { limit: 3 });
      await channel.set('key-1', 'new');
      await channel.set('key-5', 'new');
      await channel.delete('key-6');
      await channel.set('other', 'new');
      const second = await channel.latest(first.next, { limit: 3 });
      expect(channel.keysOf(second.events)).toEqual(['key-3', 'key-4', 'key-7']);
      expect(second.next?.upTo).toBe(first.tail);
      const third = await channel.latest(second.next, { limit: 3 });
      expect(channel.keysOf(third.events)).toEqual(['key-8', 'key-9']);
      expect(third.next).toBeUndefined();
    });

    test('goes on when the event at its place is gone', async () => {
      await channel.fill(6);
      const first = await channel.latest(undefined, { limit: 3 });
      await channel.delete('key-2');
      await channel.delete('key-3');
      expect(channel.keysOf((await channel.latest(first.next, { limit: 3 })).events)).toEqual([
        'key-4',
        'key-5',
      ]);
      await channel.clear();
      await channel.set('key-0', 'new');
      expect(await channel.latest(first.next)).toMatchObject({ events: [], next: undefined });
    });

    test('and the events after its tail give the state exactly', async () => {
      await channel.fill(100);
      const seen = new Map<string, string>();
      let page = await channel.latest(undefined, { limit: 7 });
      let after = page.tail;
      for (let step = 0; ; step++) {
        for (const [key, data] of channel.entriesOf(page.events)) seen.set(key, data);
        await channel.set(`key-${(step * 31) % 100}`, `step ${step}`);
        await channel.delete(`key-${(step * 17) % 100}`);
        if (page.next === undefined) break;
        page = await channel.latest(page.next, { limit: 7 });
      }
      for (;;) {
        const { events } = await channel.read(after);
        if (events.length === 0) break;
        for (const event of events) channel.apply(seen, event);
        after = events.at(-1)?.id as EventId;
      }
      expect(new Map(await channel.entries())).toEqual(seen);
    });

    test('may have the largest number of keys', async () => {
      const policy = { ...POLICY, keys: MAX_KEYS };
      await channel.fill(MAX_KEYS, 0, policy);
      const page = await channel.latest(undefined, { limit: MAX_KEYS, maxBytes: 2 * 1024 * 1024 });
      expect(page.events).toHaveLength(MAX_KEYS);
      expect(page.next).toBeUndefined();
      expect(channel.keysOf(page.events)).toEqual(Array.from({ length: MAX_KEYS }, (_, i) => `key-${i}`));
    });
  });
}
