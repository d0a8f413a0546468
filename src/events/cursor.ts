import type { ChannelName } from './channel-name.ts';
import { channelLabel, readRest } from './cursor-rest.ts';
import type { Place } from './cursor-rest.ts';
import { ORIGIN, parseEventId } from './event.ts';
import type { EventId } from './event.ts';

/**
 * Where a subscription begins in its channel (docs/protocol.md §4).
 * - `tail`: new events only
 * - `id`: after the last event that the subscriber saw
 * - `earliest`: with the first event that the channel ever had
 * - `last`: with the newest `count` events that are kept
 * - `time`: with the first event at or after that moment (epoch ms)
 * - `state`: with the channel's state, which is the newest event of each key
 * - `unreadable`: its cursor is not an id; it gets a gap, then new events
 *
 * With `state: true`, the channel's state follows each gap.
 */
export type Start =
  | { readonly from: 'tail' }
  | { readonly from: 'id'; readonly id: EventId; readonly state?: boolean }
  | { readonly from: 'earliest' }
  | { readonly from: 'last'; readonly count: number }
  | { readonly from: 'time'; readonly ms: number }
  | { readonly from: 'state' }
  | { readonly from: 'unreadable'; readonly state?: boolean };

const TAIL: Start = { from: 'tail' };
const UNREADABLE: Start = { from: 'unreadable' };

/**
 * Reads a cursor from Last-Event-ID or from the query, and returns a start for each of the channels. Accepts any text,
 * because a browser that gets an error status never comes back.
 *
 * A cursor is one of these:
 * - an id, for a single channel
 * - a list of channels with an id each: `a@1-0,b@2-0`
 * - an id of a connection with many channels: `a@1-0,~` and the positions of the other channels (`cursor-rest.ts`)
 *
 * A channel that the cursor does not name starts at the tail. When the cursor cannot be read, no channel has a start.
 *
 * @param otherwise the start of a channel that had not begun yet, according to the cursor
 */
export function parseCursor(
  text: string,
  channels: readonly ChannelName[],
  otherwise: () => Start = () => TAIL,
): Start[] {
  const forAll = (start: Start): Start[] => channels.map(() => start);
  if (text === '') return forAll(TAIL);
  if (text === 'earliest') return forAll({ from: 'earliest' });
  if (!text.includes('@')) {
    const id = channels.length === 1 ? parseEventId(text) : undefined;
    return forAll(id === undefined ? UNREADABLE : { from: 'id', id });
  }
  const named = readNamed(text);
  return named === undefined ? forAll(UNREADABLE) : startsOf(named, channels, otherwise);
}

/** Returns the place of a reader with this start. Only the log knows the places of `last`, `time` and `state`. */
export function placeOf(start: Start): Place {
  if (start.from === 'id') return start.id;
  if (start.from === 'earliest') return ORIGIN;
  return start.from === 'unreadable' ? 'unreadable' : 'not-begun';
}

/** Returns the start of a reader with the same cursor that wants the channel's state. */
export function withState(start: Start): Start {
  if (start.from === 'id' || start.from === 'unreadable') return { ...start, state: true };
  return { from: 'state' };
}

interface Named {
  readonly byName: Map<string, Place>;
  readonly byLabel: ReadonlyMap<string, Place>;
}

/** Returns undefined when any part cannot be read. */
function readNamed(text: string): Named | undefined {
  const byName = new Map<string, Place>();
  for (let from = 0; ;) {
    if (from > 0 && text[from] === '~') {
      const byLabel = readRest(text, from + 1);
      return byLabel === undefined ? undefined : { byName, byLabel };
    }
    const comma = text.indexOf(',', from);
    const end = comma < 0 ? text.length : comma;
    const at = text.indexOf('@', from);
    if (at <= from || at >= end) return undefined;
    const id = parseEventId(text.slice(at + 1, end));
    if (id === undefined) return undefined;
    const name = text.slice(from, at);
    // When a channel has two different ids, the broker cannot know which one is right.
    byName.set(name, (byName.get(name) ?? id) === id ? id : 'unreadable');
    if (comma < 0) return { byName, byLabel: new Map() };
    from = comma + 1;
  }
}

function startsOf(
  { byName, byLabel }: Named,
  channels: readonly ChannelName[],
  otherwise: () => Start,
): Start[] {
  const count = new Map<string, number>();
  const labels = byLabel.size === 0 ? [] : channels.map((name) => channelLabel(name));
  for (const label of labels) count.set(label, (count.get(label) ?? 0) + 1);
  return channels.map((name, index) => {
    const label = labels[index] ?? '';
    const exact = byName.get(name) ?? byLabel.get(`(${name})`);
    if (exact !== undefined) return startAt(exact, otherwise);
    const place = byLabel.get(label);
    if (place === undefined) return TAIL;
    // The cursor has one channel with this label, and the request has several: the broker cannot know which one is meant.
    return (count.get(label) ?? 0) > 1 ? UNREADABLE : startAt(place, otherwise);
  });
}

function startAt(place: Place, otherwise: () => Start): Start {
  if (place === 'not-begun') return otherwise();
  return place === 'unreadable' ? UNREADABLE : { from: 'id', id: place };
}
