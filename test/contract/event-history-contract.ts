import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { EventLog, HistoryPolicy } from '../../src/log/event-log.ts';
import { appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';

const NOTHING: HistoryPolicy = { size: 0, ttl: 60_000 };
const SOME: HistoryPolicy = { size: 10, ttl: 60_000 };

/** What every log promises of channels with different policies, and of channels that keep no events. */
export function eventHistoryContract(open: () => Promise<EventLog>): void {
  let log: EventLog;
  let channel: ChannelName;

  const appendMany = async (count: number, policy: HistoryPolicy): Promise<EventId[]> => {
    const ids: EventId[] = [];
    for (let i = 0; i < count; i++) ids.push((await appendOne(log, channel, String(i), { policy })).id);
    return ids;
  };

  beforeEach(async () => {
    channel = parseChannelName(`history-${randomUUID()}`);
    log = await open();
  });

  describe('with a size of 0', () => {
    test('no event can be read, and the tail is known', async () => {
      const ids = await appendMany(5, NOTHING);
      const tail = ids[4] as EventId;
      const none = { events: [], tail };
      expect(await log.read(channel, tail, 10, NOTHING)).toMatchObject({ ...none, complete: true });
      for (const after of [ORIGIN, ...ids.slice(0, 4), '18446744073709551615-0' as EventId])
        expect(await log.read(channel, after, 10, NOTHING)).toMatchObject({ ...none, complete: false });
      for (const count of [0, 1, 100]) expect(await log.rewind(channel, count, NOTHING)).toBe(tail);
    });

    test('events are announced, one after the other and together, and the chain goes on', async () => {
      const listener = new Listener();
      afterStop = log.follow(channel, listener);
      await listener.following();
      const ids = await appendMany(3, NOTHING);
      const events = Array.from({ length: 50 }, (_, i) => ({ data: String(i) }));
      for (const { id } of await log.append(channel, events, { policy: NOTHING })) ids.push(id);
      ids.push(...(await appendMany(2, NOTHING)));
      await listener.until(() => listener.events.length === ids.length);
      expect(listener.events.map(({ id }) => id)).toEqual(ids);
      expect(listener.events.map(({ prev }) => prev)).toEqual([ORIGIN, ...ids.slice(0, -1)]);
      expect(await log.read(channel, ids.at(-1) as EventId, 10, NOTHING)).toMatchObject({ complete: true });
    });

    test('an idempotency key is remembered', async () => {
      const options = { policy: NOTHING, idempotencyKey: 'k' };
      const first = await appendOne(log, channel, 'a', options);
      expect(await appendOne(log, channel, 'a', options)).toEqual({ id: first.id, replayed: true });
    });
  });

  test('a policy that changes to nothing hides the kept events, and back again keeps the new ones', async () => {
    const kept = await appendMany(5, SOME);
    expect(await log.read(channel, ORIGIN, 10, NOTHING)).toMatchObject({ events: [], complete: false });
    const [gone = ORIGIN] = await appendMany(1, NOTHING);
    const ids = await appendMany(3, SOME);
    const page = await log.read(channel, gone, 10, SOME);
    expect([page.complete, page.events.map(({ id }) => id)]).toEqual([true, ids]);
    expect((await log.read(channel, kept[0] as EventId, 10, SOME)).complete).toBe(false);
  });

  let afterStop: (() => void) | undefined;
  afterEach(() => {
    afterStop?.();
    afterStop = undefined;
  });
}
