import { expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { Appended } from '../../src/log/event-log.ts';
import type { EventId, NewEvent } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import { Listener } from '../support/listener.ts';
import { seededRandom } from '../support/seeded-random.ts';

const BOUND = 128 * 1024;
const HISTORY = 40;
const policy = { size: HISTORY, ttl: 60_000 };
const STEPS = 2_000;
const LETTERS = ['x', 'é', '☃', '𝄞'];

interface Published {
  readonly id: EventId;
  readonly record: string;
  /** The event's number among the events of all channels. */
  readonly number: number;
}

/** Every event that was ever published, to compare with what the log has kept. */
class Model {
  readonly channels = new Map<ChannelName, Published[]>();
  count = 0;

  last(channel: ChannelName): EventId {
    return this.channels.get(channel)?.at(-1)?.id ?? ORIGIN;
  }

  add(channel: ChannelName, id: EventId, event: NewEvent): void {
    const before = this.channels.get(channel) ?? [];
    before.push({ id, record: encodeRecord(event), number: this.count++ });
    this.channels.set(channel, before);
  }
}

test.each([1, 2, 3, 4, 5, 6])(
  'the embedded log keeps the newest of what was published: seed %d',
  async (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const log = new MemoryEventLog({
      idempotencyTtl: 60_000,
      maxBytes: BOUND,
    });
    const model = new Model();
    const names = Array.from({ length: 12 }, (_, i) => parseChannelName(`c${i}`));
    const stops: (() => void)[] = [];

    for (let step = 0; step < STEPS; step++) {
      // The first channels get most of the events.
      const channel = names[below(below(names.length) + 1)] as ChannelName;
      const size = below(10) === 0 ? below(30_000) : below(300);
      const event = { data: `${(LETTERS[below(LETTERS.length)] as string).repeat(size)}${step}` };
      const idempotencyKey = below(3) === 0 ? `key-${step}` : undefined;
      const [appended] = await log.append(channel, [event], { policy, idempotencyKey });
      const { id } = appended as Appended;
      // This holds even when the log has forgotten the channel in between.
      expect(compareEventIds(model.last(channel), id)).toBeLessThan(0);
      model.add(channel, id, event);
      expect(log.bytes).toBeLessThanOrEqual(BOUND);
      if (idempotencyKey !== undefined && below(2) === 0)
        expect(await log.append(channel, [event], { policy, idempotencyKey })).toEqual([
          { id, replayed: true },
        ]);
      if (below(20) === 0) stops.push(log.follow(names[below(names.length)] as ChannelName, new Listener()));
      if (below(20) === 0) stops.splice(below(stops.length), 1)[0]?.();
      if (step % 50 === 0) await compare(log, model);
    }
    await log.close();
  },
);

async function compare(log: MemoryEventLog, { channels }: Model): Promise<void> {
  let newestGone = -1;
  let oldestKept = Infinity;
  for (const [channel, published] of channels) {
    const kept: Published[] = [];
    const last = published.at(-1)?.id as EventId;
    const byId = new Map(published.map((one) => [one.id, one]));
    for (let after = await log.rewind(channel, Infinity, policy); ; after = kept.at(-1)?.id as EventId) {
      const { events, complete, tail } = await log.read(channel, after, 7, policy);
      expect(complete).toBe(true);
      if (events.length === 0) {
        // A forgotten tail is a gap for a subscriber at that position, unless no newer tail is forgotten.
        expect((await log.read(channel, last, 7, policy)).complete).toBe(tail === last);
        break;
      }
      expect(tail).toBe(last);
      let before = after;
      for (const { id, prev, record } of events) {
        const one = byId.get(id) as Published;
        expect([prev, record.toString()]).toEqual([before, one.record]);
        kept.push(one);
        before = id;
      }
    }
    // The kept events are the newest ones, and none is missing between them.
    expect(kept.map(({ id }) => id)).toEqual(
      published.slice(published.length - kept.length).map(({ id }) => id),
    );
    expect(kept.length).toBeLessThanOrEqual(HISTORY);
    const gone = published.length - kept.length;
    if (kept.length < HISTORY && gone > 0)
      newestGone = Math.max(newestGone, published[gone - 1]?.number ?? -1);
    oldestKept = Math.min(oldestKept, kept[0]?.number ?? Infinity);
    if (gone > 1)
      expect((await log.read(channel, published[gone - 2]?.id as EventId, 1, policy)).complete).toBe(false);
  }
  // Events that were removed for lack of room are older than all kept events, on any channel.
  expect(newestGone).toBeLessThan(oldestKept);
}
