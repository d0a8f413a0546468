import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId, NewEvent } from '../../src/events/event.ts';
import { clearedEvent, deletedEvent, encodeRecord } from '../../src/events/record.ts';
import type { AppendOptions, ChannelState, EventLog, HistoryPolicy } from '../../src/log/event-log.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { StateModel } from '../support/state-model.ts';

const STEPS = 120;
const SIZES = [3, 20, 60, 500];
const KEYS = [1, 5, 40, 200];
const TTL = 600_000;

/** The cases of {@link runEventLogModel}: a name, a seed, and the sizes of the history. */
export const MODEL_CASES = [
  ['one size', 1, [20]],
  ['one size', 2, [60]],
  ['sizes that change', 3, SIZES],
  ['sizes that change', 4, SIZES],
  ['sizes that change', 5, SIZES],
] as const;

/** A log under test. */
export interface ModelledLog {
  readonly log: () => EventLog;
  /** How many keys the log has dropped so far. */
  readonly keysDropped: () => number;
  /** How many more keys than events an append drops at most. */
  readonly maxDropped: number;
  /** Does to the log what only this kind of log knows. Returns the event that this has appended. */
  readonly disturb: (channel: ChannelName, tail: EventId, step: number) => Promise<Published | undefined>;
}

interface Published {
  readonly id: EventId;
  readonly record: string;
}

/** What the channel should be. */
interface Model {
  readonly published: Published[];
  /** How many of the newest events the log still has to keep. */
  kept: number;
  /** The number of events that the last clear has removed. */
  cleared: number;
  status: ChannelState['status'];
  readonly state: StateModel;
}

/** Appends, clears and reads at random, and compares the log with what it should be. */
export async function runEventLogModel(
  modelled: ModelledLog,
  seed: number,
  sizes: readonly number[],
): Promise<void> {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const channel = parseChannelName(`model-${randomUUID()}`);
  const of = { ...modelled, channel };
  const model: Model = { published: [], kept: 0, cleared: 0, status: 'empty', state: new StateModel() };
  for (let step = 0; step < STEPS; step++) {
    const policy = {
      size: sizes[below(sizes.length)] as number,
      ttl: TTL,
      keys: KEYS[below(KEYS.length)] as number,
    };
    const kind = below(12);
    if (kind < 2) {
      const published = await modelled.disturb(channel, tailOf(model), step);
      if (published !== undefined) {
        model.published.push(published);
        model.kept++;
        model.status = 'open';
      }
    } else if (kind === 2) {
      await clear(of, model, policy);
    } else {
      const count = below(3) === 0 ? below(80) : 1;
      const events = Array.from({ length: count }, (_, i): NewEvent => {
        const data = `${step}.${i}`.padEnd(below(10) === 0 ? below(3_000) : 0, 'x');
        const key = `k${below(300)}`;
        const use = below(8);
        return use === 0 ? deletedEvent(channel, key) : use < 4 ? { data, key } : { data };
      });
      const ifLast = [undefined, tailOf(model), '1-1' as EventId][below(8)];
      const options = { policy, idempotencyKey: `key-${step}`, ifLast, end: below(8) === 0 };
      // Some of the events repeat earlier ones.
      await append(of, model, events, { options, early: below(4) === 0 ? below(count) : 0 });
    }
    expect(await modelled.log().state(channel)).toEqual({ tail: tailOf(model), status: model.status });
    const { found, expected } = await model.state.compared(modelled.log(), channel, 1 + below(50));
    expect(found).toEqual(expected);
    if (step % 5 === 0) await compare(of, model, { policy, isExact: sizes.length === 1 });
  }
}

interface Tested extends ModelledLog {
  readonly channel: ChannelName;
}

function tailOf({ published }: Model): EventId {
  return published.at(-1)?.id ?? ORIGIN;
}

/** @param early how many of the events are appended before all are */
async function append(
  { channel, log: logNow, keysDropped, maxDropped }: Tested,
  model: Model,
  events: readonly NewEvent[],
  { options, early }: { readonly options: AppendOptions; readonly early: number },
): Promise<void> {
  const { policy, idempotencyKey, ifLast, end } = options;
  const log = logNow();
  const appending = Promise.resolve(log.append(channel, events, options));
  if (events.length === 0 && end !== true) return expect(appending).resolves.toEqual([]);
  if (model.status === 'ended') return expect(appending).rejects.toMatchObject({ code: 'channel-ended' });
  if (ifLast !== undefined && ifLast !== tailOf(model))
    return expect(appending).rejects.toMatchObject({
      code: 'tail-mismatch',
      members: { tail: tailOf(model) },
    });
  const droppedBefore = keysDropped();
  const all = await appending;
  expect(all.every(({ replayed }) => !replayed)).toBe(true);
  if (events.length === 0) expect(all).toEqual([{ id: tailOf(model), replayed: false }]);
  for (const [i, event] of events.entries()) {
    const id = all[i]?.id as EventId;
    model.published.push({ id, record: encodeRecord(event) });
    model.state.apply(channel, id, event);
  }
  const { keys = 0 } = policy;
  // An append without keys drops no keys.
  const dropped = events.some(({ key }) => key !== undefined)
    ? model.state.trim(channel, keys, maxDropped + events.length)
    : 0;
  expect(keysDropped() - droppedBefore).toBe(dropped);
  model.kept = Math.min(model.kept + events.length, policy.size);
  model.status = end === true ? 'ended' : 'open';
  // Repeats the first events, and then all of them.
  const start = { policy, idempotencyKey, end: end === true && events.length === 0 };
  const again = [
    ...(await log.append(channel, events.slice(0, early), start)),
    ...(await log.append(channel, events, options)),
  ];
  const asReplay = all.map(({ id }) => ({ id, replayed: true }));
  expect(again).toEqual([...(start.end ? asReplay : asReplay.slice(0, early)), ...asReplay]);
}

async function clear({ channel, log }: Tested, model: Model, policy: HistoryPolicy): Promise<void> {
  expect(await log().clear(channel, policy)).toBe(model.status !== 'empty');
  if (model.status === 'empty') return;
  model.cleared = model.published.length;
  model.state.clear(channel);
  const { tail } = await log().state(channel);
  model.published.push({ id: tail, record: encodeRecord(clearedEvent(channel)) });
  model.kept = 1;
  model.status = 'empty';
}

async function compare(
  { channel, log: logNow }: Tested,
  { published, kept, cleared, status }: Model,
  { policy, isExact }: { policy: HistoryPolicy; isExact: boolean },
): Promise<void> {
  const log = logNow();
  const all = [{ id: ORIGIN, record: '' }, ...published];
  const indexOf = (id: EventId): number => all.findIndex((one) => one.id === id);
  const first = indexOf(await log.rewind(channel, Infinity, policy));
  const count = published.length - first;
  expect(count).toBeGreaterThanOrEqual(Math.min(kept, policy.size));
  expect(count).toBeLessThanOrEqual(Math.min(policy.size, published.length - cleared));
  let at = first;
  for (;;) {
    const { events, complete, tail, ended } = await log.read(channel, all[at]?.id as EventId, 7, policy);
    expect([complete, tail, ended]).toEqual([true, all.at(-1)?.id, status === 'ended']);
    if (events.length === 0) break;
    for (const { id, prev, record } of events) {
      expect(prev).toBe(all[at]?.id);
      at++;
      expect({ id, record: record.toString() }).toEqual(all[at]);
    }
  }
  expect(at).toBe(published.length);
  // More events may be readable: those that a smaller size has not trimmed yet, or any when the other version appended
  // last.
  if (first > 0 && isExact && published.at(-1)?.record.startsWith('1')) {
    const early = await log.read(channel, all[first - 1]?.id as EventId, 7, policy);
    expect([early.complete, early.events[0]?.id]).toEqual([false, all[first + 1]?.id]);
  }
  for (const back of [0, 1, 2, 50]) {
    if (back <= count) expect(await log.rewind(channel, back, policy)).toBe(all[published.length - back]?.id);
  }
}
