import { expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { AppendOptions, Appended, ChannelState } from '../../src/log/event-log.ts';
import type { EventId, NewEvent } from '../../src/events/event.ts';
import { clearedEvent, deletedEvent, encodeRecord } from '../../src/events/record.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import { Listener } from '../support/listener.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { StateModel } from '../support/state-model.ts';

const BOUND = 128 * 1024;
const HISTORY = 40;
const KEYS = 20;
const policy = { size: HISTORY, ttl: 60_000, keys: KEYS };
const STEPS = 2_000;
const LETTERS = ['x', 'é', '☃', '𝄞'];

interface Published {
  readonly id: EventId;
  readonly record: string;
  /** The event's number among the events of all channels. */
  readonly number: number;
}

interface ModelChannel {
  readonly published: Published[];
  /** The number of events that the last clear has removed. */
  cleared: number;
  status: ChannelState['status'];
}

/** Every event that was ever published, to compare with what the log has kept. */
class Model {
  readonly channels = new Map<ChannelName, ModelChannel>();
  readonly state = new StateModel();
  /** How many keys the log has dropped since the last append. */
  dropped = 0;
  count = 0;

  of(name: ChannelName): ModelChannel {
    let channel = this.channels.get(name);
    if (channel === undefined)
      this.channels.set(name, (channel = { published: [], cleared: 0, status: 'empty' }));
    return channel;
  }

  last(name: ChannelName): EventId {
    return this.of(name).published.at(-1)?.id ?? ORIGIN;
  }

  add(name: ChannelName, id: EventId, event: NewEvent): void {
    this.of(name).published.push({ id, record: encodeRecord(event), number: this.count++ });
  }
}

test.each([1, 2, 3, 4, 5, 6])(
  'the embedded log keeps the newest of what was published: seed %d',
  async (seed) => {
    const random = seededRandom(seed);
    const below = (limit: number): number => Math.floor(random() * limit);
    const model = new Model();
    const log = new MemoryEventLog({
      idempotencyTtl: 60_000,
      maxBytes: BOUND,
      onKeysDropped: (keys) => (model.dropped += keys),
    });
    const names = Array.from({ length: 12 }, (_, i) => parseChannelName(`c${i}`));
    const stops: (() => void)[] = [];

    for (let step = 0; step < STEPS; step++) {
      // The first channels get most of the events.
      const channel = names[below(below(names.length) + 1)] as ChannelName;
      const size = below(10) === 0 ? below(30_000) : below(300);
      const data = `${(LETTERS[below(LETTERS.length)] as string).repeat(size)}${step}`;
      const key = `k${below(40)}`;
      const kind = below(8);
      const event = kind === 0 ? deletedEvent(channel, key) : kind < 4 ? { data, key } : { data };
      const idempotencyKey = below(3) === 0 ? `key-${step}` : undefined;
      const { tail } = await expectState(log, model, channel);
      const right = below(4) > 0;
      const ifLast = below(4) > 0 ? undefined : right ? tail : ('1-1' as EventId);
      await append(log, model, channel, {
        events: below(40) === 0 ? [] : [event],
        options: { policy, idempotencyKey, ifLast, end: below(20) === 0 },
        repeat: below(2) === 0,
      });
      if (below(25) === 0) await clear(log, model, channel);
      if (below(20) === 0) stops.push(log.follow(names[below(names.length)] as ChannelName, new Listener()));
      if (below(20) === 0) stops.splice(below(stops.length), 1)[0]?.();
      await compareState(log, model, channel, 1 + below(10));
      if (step % 50 === 0) await compare(log, model);
    }
    await log.close();
  },
);

/** Compares the state of a channel, and notes when the log has forgotten the channel for lack of room. */
async function expectState(log: MemoryEventLog, model: Model, name: ChannelName): Promise<ChannelState> {
  const state = await log.state(name);
  const channel = model.of(name);
  const { events, ended } = await log.read(name, ORIGIN, 1, policy);
  if (state.status !== channel.status || state.tail !== model.last(name)) {
    expect([state.status, events]).toEqual(['empty', []]);
    channel.status = 'empty';
  }
  expect(ended).toBe(state.status === 'ended');
  return state;
}

function add(model: Model, name: ChannelName, id: EventId, event: NewEvent): void {
  // This holds even when the log has forgotten the channel in between.
  expect(compareEventIds(model.last(name), id)).toBeLessThan(0);
  model.add(name, id, event);
}

async function append(
  log: MemoryEventLog,
  model: Model,
  name: ChannelName,
  {
    events,
    options,
    repeat,
  }: { readonly events: readonly NewEvent[]; readonly options: AppendOptions; readonly repeat: boolean },
): Promise<void> {
  const { tail, status } = await log.state(name);
  const channel = model.of(name);
  model.dropped = 0;
  const appending = Promise.resolve(log.append(name, events, options));
  if (events.length === 0 && options.end !== true) return expect(appending).resolves.toEqual([]);
  if (status === 'ended') return expect(appending).rejects.toMatchObject({ code: 'channel-ended' });
  if (options.ifLast !== undefined && options.ifLast !== tail)
    return expect(appending).rejects.toMatchObject({ code: 'tail-mismatch', members: { tail } });
  const [{ id }] = (await appending) as [Appended];
  expect(log.bytes).toBeLessThanOrEqual(BOUND);
  const [event] = events;
  if (event === undefined) expect(id).toBe(tail);
  else add(model, name, id, event);
  if (event === undefined) model.state.dropOldest(model.dropped);
  else await applyKeyed(log, model, name, { id, event });
  channel.status = options.end === true ? 'ended' : 'open';
  if (options.idempotencyKey === undefined || !repeat) return;
  expect(await log.append(name, events, options)).toEqual([{ id, replayed: true }]);
}

/** Does to the state what the event does, and drops as many keys as the log says it has dropped. */
async function applyKeyed(
  log: MemoryEventLog,
  { state, dropped }: Model,
  name: ChannelName,
  { id, event }: { readonly id: EventId; readonly event: NewEvent },
): Promise<void> {
  state.apply(name, id, event);
  const { events } = await log.readLatest(name, undefined, { limit: 2 * KEYS, maxBytes: BOUND });
  const isLost = event.key !== undefined && event.type === undefined && events.at(-1)?.id !== id;
  // An event that is larger than the room for all states is dropped alone.
  if (isLost) state.dropNewest();
  const others = dropped - (isLost ? 1 : 0);
  expect(others).toBeGreaterThanOrEqual(0);
  // The memory's limit drops the oldest keys of all channels, and then the channel's limit drops one of its own.
  const ofChannel = state.count(name) > KEYS && state.countOldest(others, name) === 0 ? 1 : 0;
  state.dropOldest(others - ofChannel);
  state.trim(name, KEYS);
}

async function clear(log: MemoryEventLog, model: Model, name: ChannelName): Promise<void> {
  const { status } = await expectState(log, model, name);
  model.dropped = 0;
  expect(await log.clear(name, policy)).toBe(status !== 'empty');
  if (status === 'empty') return;
  expect(log.bytes).toBeLessThanOrEqual(BOUND);
  const channel = model.of(name);
  channel.cleared = channel.published.length;
  channel.status = 'empty';
  model.state.clear(name);
  model.state.dropOldest(model.dropped);
  add(model, name, (await log.state(name)).tail, clearedEvent(name));
}

async function compareState(
  log: MemoryEventLog,
  { state }: Model,
  name: ChannelName,
  limit: number,
): Promise<void> {
  const { found, expected } = await state.compared(log, name, limit);
  expect(found).toEqual(expected);
}

async function compare(log: MemoryEventLog, model: Model): Promise<void> {
  const { channels } = model;
  for (const channel of channels.keys()) await compareState(log, model, channel, 100);
  let newestGone = -1;
  let oldestKept = Infinity;
  for (const [channel, { published, cleared }] of channels) {
    const kept: Published[] = [];
    const last = published.at(-1)?.id ?? ORIGIN;
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
    expect(kept.length).toBeLessThanOrEqual(Math.min(HISTORY, published.length - cleared));
    const gone = published.length - kept.length;
    if (kept.length < HISTORY && gone > cleared)
      newestGone = Math.max(newestGone, published[gone - 1]?.number ?? -1);
    oldestKept = Math.min(oldestKept, kept[0]?.number ?? Infinity);
    if (gone > 1)
      expect((await log.read(channel, published[gone - 2]?.id as EventId, 1, policy)).complete).toBe(false);
  }
  // Events that were removed for lack of room are older than all kept events, on any channel.
  expect(newestGone).toBeLessThan(oldestKept);
}
