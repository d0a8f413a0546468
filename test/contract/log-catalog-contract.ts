import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { ChannelAbout, EventLog, HistoryPolicy } from '../../src/log/event-log.ts';
import { appendOne } from '../support/append-one.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';
import { TestedChannel } from '../support/tested-channel.ts';

const POLICY: HistoryPolicy = { size: 1_000, ttl: 60_000 };
const NOTHING = { first: null, length: 0, keys: 0 };
const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`);

/** What every log knows of its channels. */
export function logCatalogContract(create: () => Promise<EventLog>): void {
  let log: EventLog;
  let channel: TestedChannel;
  let name: ChannelName;
  const about = (policy: HistoryPolicy = POLICY): Promise<ChannelAbout> => log.catalog.about(name, policy);
  /** All pages. */
  const list = async (prefix: string, limit = 10): Promise<{ names: string[]; pages: number }> => {
    const names: string[] = [];
    let pages = 0;
    let cursor: string | undefined;
    do {
      const page = await log.catalog.list({ prefix, cursor, limit });
      names.push(...page.channels);
      pages++;
      cursor = page.next;
    } while (cursor !== undefined);
    return { names: names.toSorted(), pages };
  };

  beforeEach(async () => {
    log = await create();
    channel = new TestedChannel(log);
    ({ name } = channel);
  });

  describe('about', () => {
    test('a channel that never had an event is empty', async () => {
      expect(await about()).toEqual({ ...NOTHING, state: { tail: ORIGIN, status: 'empty' }, bytes: 0 });
    });

    test('has the first and the last event, and how many there are', async () => {
      const ids = await channel.append(numbers(200), { policy: POLICY });
      const { bytes, ...rest } = await about();
      expect(rest).toEqual({
        state: { tail: ids.at(-1), status: 'open' },
        first: ids[0],
        length: 200,
        keys: 0,
      });
      await channel.append(['x'.repeat(100_000)], { policy: POLICY });
      expect((await about()).bytes - bytes).toBeGreaterThan(90_000);
    });

    test('counts the memory of a key whose event the history has dropped', async () => {
      const keyed = new KeyedChannel(log);
      const policy = { ...POLICY, size: 1 };
      await keyed.set('a', 'x'.repeat(100_000), { policy });
      await keyed.append(['y'], { policy });
      expect((await log.catalog.about(keyed.name, policy)).bytes).toBeGreaterThan(90_000);
    });

    test('has the number of keys', async () => {
      const keyed = new KeyedChannel(log);
      await keyed.fill(20);
      await keyed.delete('key-3');
      expect(await log.catalog.about(keyed.name, { ...POLICY, size: 1 })).toMatchObject({
        length: 1,
        keys: 19,
      });
      await keyed.clear();
      expect(await log.catalog.about(keyed.name, POLICY)).toMatchObject({ length: 1, keys: 0 });
    });

    test('counts only what the policy keeps', async () => {
      const ids = await channel.append(numbers(100), { policy: POLICY });
      expect(await about({ ...POLICY, size: 30 })).toMatchObject({ first: ids[70], length: 30 });
      expect(await about({ ...POLICY, size: 0 })).toMatchObject({ first: null, length: 0 });
      await expect.poll(() => about({ ...POLICY, ttl: 30 }), { interval: 10 }).toMatchObject(NOTHING);
      const last = await channel.last(['late'], { policy: POLICY });
      expect(await about({ ...POLICY, ttl: 10_000 })).toMatchObject({ first: ids[0], length: 101 });
      expect((await about()).state.tail).toBe(last);
    });

    test('knows the end, and that a channel was cleared', async () => {
      await channel.append(['a', 'b'], { end: true });
      expect((await about()).state.status).toBe('ended');
      await channel.clear();
      const { state, first, length } = await about();
      expect({ status: state.status, first, length }).toEqual({
        status: 'empty',
        first: state.tail,
        length: 1,
      });
    });

    test('a channel that ended without an event', async () => {
      await channel.append([], { end: true });
      expect(await about()).toMatchObject({ ...NOTHING, state: { tail: ORIGIN, status: 'ended' } });
    });
  });

  describe('countAfter', () => {
    test('counts the kept events after each position', async () => {
      const ids = await channel.append(numbers(200), { policy: POLICY });
      const at = (index: number): EventId => ids[index] as EventId;
      const positions = [at(199), at(198), at(0), ORIGIN, at(100), at(100), '99999999999999-0' as EventId];
      const counts = [0, 1, 199, 200, 99, 99, 0];
      expect(await log.catalog.countAfter(name, positions, POLICY)).toEqual(counts);
      const few = { ...POLICY, size: 50 };
      expect(await log.catalog.countAfter(name, positions, few)).toEqual([0, 1, 50, 50, 50, 50, 0]);
      for (const [index, id] of ids.entries())
        expect(await log.catalog.countAfter(name, [id], POLICY)).toEqual([199 - index]);
    });

    test('there is nothing after any position of a channel without events', async () => {
      expect(await log.catalog.countAfter(name, [ORIGIN, '5-0' as EventId], POLICY)).toEqual([0, 0]);
      expect(await log.catalog.countAfter(name, [], POLICY)).toEqual([]);
    });
  });

  describe('list', () => {
    test('has every channel once, in pages', async () => {
      const prefix = `list-${randomUUID()}.`;
      const names = numbers(60).map((number) => parseChannelName(`${prefix}${number}`));
      await Promise.all(names.map((one) => appendOne(log, one, 'x')));
      const { names: listed, pages } = await list(prefix, 5);
      expect(listed).toEqual(names.toSorted());
      expect(pages).toBeGreaterThan(5);
      expect((await list(prefix, 1_000)).names).toEqual(names.toSorted());
      expect((await list(`${prefix}1`)).names).toHaveLength(11);
      expect((await list('')).names).toEqual(expect.arrayContaining(names));
    });

    test('has channels that ended or were cleared, and none with subscribers alone', async () => {
      await channel.follow();
      expect((await list(name)).names).toEqual([]);
      await channel.append([], { end: true });
      expect((await list(name)).names).toEqual([name]);
      await channel.clear();
      expect((await list(name)).names).toEqual([name]);
    });

    test.each(['x', '-1', '1.5', '1@', '99999999999999999999', '0x10', ' 1', '1@a b'])(
      'refuses the cursor %j',
      async (cursor) => {
        await expect(log.catalog.list({ prefix: '', cursor, limit: 10 })).rejects.toMatchObject({
          code: 'invalid-query',
        });
      },
    );
  });
}
