import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { NewEvent } from '../../src/events/event.ts';
import type { AppendOptions, Appended, EventLog } from '../../src/log/event-log.ts';
import { POLICY } from '../support/append-one.ts';

const KEY = 'k';
const REUSED = { name: 'BrokerError', code: 'idempotency-key-reused' };
const events = (...texts: readonly string[]): NewEvent[] => texts.map((data) => ({ data }));

const asReplay = (appended: readonly Appended[]): Appended[] =>
  appended.map(({ id }) => ({ id, replayed: true }));

/** What every log promises for idempotency keys that come again, with the same body or with another one. */
export function eventKeyContract(create: () => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;

  const append = async (
    some: readonly NewEvent[],
    options: Partial<AppendOptions> = {},
  ): Promise<readonly Appended[]> =>
    await log.append(channel, some, { policy: POLICY, idempotencyKey: KEY, ...options });
  const check = (some: readonly NewEvent[], options: Partial<AppendOptions> = {}): Promise<void> =>
    log.checkKeys(channel, some, { policy: POLICY, idempotencyKey: KEY, ...options });
  const data = async (): Promise<string[]> =>
    (await log.read(channel, ORIGIN, 1_000, POLICY)).events.map(
      ({ record }) => record.toString().split('\n\n')[1] ?? '',
    );

  beforeEach(async () => {
    channel = parseChannelName(`key-${randomUUID()}`);
    log = await create();
  });

  describe('an idempotency key with another body', () => {
    test.each([
      ['other data', [{ data: 'b' }]],
      ['a type', [{ data: 'a', type: 't' }]],
      ['a key', [{ data: 'a', key: 't' }]],
      ['another first event', events('b', 'a')],
    ])('%s: refused, and nothing is appended', async (_difference, other) => {
      const first = await append(events('a'));
      await expect(append(other)).rejects.toMatchObject(REUSED);
      await expect(check(other)).rejects.toMatchObject(REUSED);
      expect(await append(events('a'))).toEqual(asReplay(first));
      expect(await data()).toEqual(['a']);
    });

    test('one event of many differs: none is appended, also not those that are new', async () => {
      await append(events('a', 'b'));
      await expect(append(events('a', 'x', 'c'))).rejects.toMatchObject(REUSED);
      await expect(check(events('a', 'x', 'c'))).rejects.toMatchObject(REUSED);
      await check(events('a', 'b', 'c'));
      expect(await data()).toEqual(['a', 'b']);
    });

    test('the end is a part of the last event', async () => {
      await append(events('a'));
      await expect(append(events('a'), { end: true })).rejects.toMatchObject(REUSED);
      await expect(append([], { end: true })).rejects.toMatchObject(REUSED);
      const longer = await append(events('a', 'b'), { end: true });
      expect(longer.map(({ replayed }) => replayed)).toEqual([true, false]);
      await expect(append(events('a', 'b'))).rejects.toMatchObject(REUSED);
      expect((await log.state(channel)).status).toBe('ended');
    });

    test('is refused also on an ended channel, and whatever the condition', async () => {
      await append(events('a'), { end: true });
      await expect(append(events('b'))).rejects.toMatchObject(REUSED);
      await expect(append(events('b'), { ifLast: ORIGIN, end: true })).rejects.toMatchObject(REUSED);
    });

    test('without a key nothing is compared', async () => {
      await append(events('a'));
      await check(events('b'), { idempotencyKey: undefined });
      await append(events('a'), { idempotencyKey: undefined });
      expect(await data()).toEqual(['a', 'a']);
    });
  });

  describe('a repeated append', () => {
    test('succeeds on a channel that has ended or was cleared, and whatever the condition', async () => {
      const first = await append(events('a', 'b'), { ifLast: ORIGIN, end: true });
      const again = (): Promise<readonly Appended[]> =>
        append(events('a', 'b'), { ifLast: ORIGIN, end: true });
      expect(await again()).toEqual(asReplay(first));
      await log.clear(channel, POLICY);
      expect(await again()).toEqual(asReplay(first));
      expect((await log.state(channel)).status).toBe('empty');
    });

    test('of an end without events gives the tail of that time', async () => {
      const [tail] = await append(events('a'), { idempotencyKey: undefined });
      expect(await append([], { end: true })).toEqual([tail]);
      await log.clear(channel, POLICY);
      expect(await append([], { end: true })).toEqual(asReplay([tail as Appended]));
      await expect(append(events('a'))).rejects.toMatchObject(REUSED);
      expect((await log.state(channel)).status).toBe('empty');
    });

    test('with a new event is refused on an ended channel', async () => {
      await append(events('a'));
      await append([], { end: true, idempotencyKey: undefined });
      await expect(append(events('a', 'b'))).rejects.toMatchObject({ code: 'channel-ended' });
      expect(await append(events('a'))).toMatchObject([{ replayed: true }]);
    });
  });

  describe('pages of one body', () => {
    test('each event has the position that it has in the body', async () => {
      const first = await append(events('a', 'b'));
      const second = await append(events('c', 'd'), { firstPosition: 2 });
      const third = await append([], { firstPosition: 4, end: true });
      const whole = [...first, ...second];
      expect(whole.every(({ replayed }) => !replayed)).toBe(true);
      // The same body again, cut at other places.
      await check(events('a'));
      await check(events('b', 'c'), { firstPosition: 1 });
      expect(await append(events('a'))).toEqual(asReplay(whole.slice(0, 1)));
      expect(await append(events('b', 'c'), { firstPosition: 1 })).toEqual(asReplay(whole.slice(1, 3)));
      expect(await append(events('d'), { firstPosition: 3 })).toEqual(asReplay(whole.slice(3)));
      expect(await append([], { firstPosition: 4, end: true })).toEqual(asReplay(third));
      expect(await data()).toEqual(['a', 'b', 'c', 'd']);
    });

    test('a difference on a later page is found before the first append', async () => {
      await append(events('a', 'b'));
      await append(events('c'), { firstPosition: 2 });
      await check(events('a', 'b'));
      await expect(check(events('x'), { firstPosition: 2 })).rejects.toMatchObject(REUSED);
      await expect(append(events('x'), { firstPosition: 2 })).rejects.toMatchObject(REUSED);
      await check(events('x'), { firstPosition: 3 });
      expect(await data()).toEqual(['a', 'b', 'c']);
    });

    test('checking keys remembers and appends nothing', async () => {
      await check(events('a', 'b'));
      expect(await append(events('x', 'y'))).toMatchObject([{ replayed: false }, { replayed: false }]);
      expect(await data()).toEqual(['x', 'y']);
    });
  });
}
