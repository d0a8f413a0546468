import { hash } from 'node:crypto';
import type { ChannelName } from './channel-name.ts';
import { parseEventId } from './event.ts';
import type { EventId } from './event.ts';

/**
 * The rest of an id on a connection with many channels: the positions of the other channels, one entry each. An entry is
 * the channel's label and its position, without a separator.
 *
 * A label is the beginning of the name's hash, because a hundred names would not fit into a header. Channels of one
 * connection whose hashes begin alike have their names in parentheses as labels. So a label stands for one channel of
 * its set. A channel that is new in the set may have the label of a channel that left it, with a chance of one in a
 * thousand million. It then gets that channel's position, which is a gap unless its own log has the same position.
 *
 * A position is one of these:
 * - eight digits for the time and the sequence number together
 * - `_<id>.` for an id whose numbers are not in the range of eight digits
 * - `_.` when the channel has no position because its cursor was unreadable
 * - `-` when the channel has not begun
 */
export type Place = EventId | 'unreadable' | 'not-begun';

const LABEL_LENGTH = 5;
const ID_LENGTH = 8;
/** Characters that neither a header nor a query has to escape. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!$()*:/?~.-_';
const BASE = DIGITS.length;
const VALUES = new Map(Array.from(DIGITS, (letter, value) => [letter, value]));
const NOT_BEGUN = '-';
const ESCAPE = '_';
/** A log gives this many ids within one ms at the most, with bodies of many events. */
const SEQS = 1_024;
/** The eight digits begin with the year 2025, and end in 2052: the first of them is never `-` or `_`. */
const EPOCH_MS = Date.UTC(2025, 0);
const END_OF_TIME_MS = EPOCH_MS + Math.floor(((BASE - 2) * BASE ** (ID_LENGTH - 1)) / SEQS);

/** How many labels and positions are remembered. Most readers are at the same ones. */
const MAX_REMEMBERED = 10_000;

/** The label of a channel, unless another channel of the set has the same one. */
export const channelLabel = remembering((name: ChannelName) =>
  hash('sha256', name, 'base64url').slice(0, LABEL_LENGTH),
);

/** Remembers results, so that readers also share the memory of the texts. Forgets all of them when there are too many. */
function remembering<Key extends string>(make: (key: Key) => string): (key: Key) => string {
  const known = new Map<Key, string>();
  return (key) => {
    let text = known.get(key);
    if (text === undefined) {
      if (known.size === MAX_REMEMBERED) known.clear();
      known.set(key, (text = make(key)));
    }
    return text;
  };
}

/** Returns a label for each channel of the set. No two are equal. */
export function channelLabels(channels: readonly ChannelName[]): string[] {
  const labels = channels.map((name) => channelLabel(name));
  const seen = new Set<string>();
  const shared = new Set<string>();
  for (const label of labels) (seen.has(label) ? shared : seen).add(label);
  return labels.map((label, index) => (shared.has(label) ? `(${channels[index]})` : label));
}

/** The entry's text after the label. */
export const encodePlace = remembering((place: Place) => {
  if (place === 'not-begun') return NOT_BEGUN;
  if (place === 'unreadable') return `${ESCAPE}.`;
  const dash = place.indexOf('-');
  const ms = Number(place.slice(0, dash));
  const seq = Number(place.slice(dash + 1));
  if (ms < EPOCH_MS || ms >= END_OF_TIME_MS || seq >= SEQS) return `${ESCAPE}${place}.`;
  let left = (ms - EPOCH_MS) * SEQS + seq;
  let text = '';
  for (let i = 0; i < ID_LENGTH; i++) {
    text = (DIGITS[left % BASE] as string) + text;
    left = Math.floor(left / BASE);
  }
  return text;
});

/**
 * Reads the rest of a cursor from an offset on. Returns the places by label. Returns undefined when any entry cannot be
 * read.
 */
export function readRest(text: string, offset: number): Map<string, Place> | undefined {
  const places = new Map<string, Place>();
  for (let at = offset; at < text.length;) {
    const labelEnd = text[at] === '(' ? text.indexOf(')', at) + 1 : at + LABEL_LENGTH;
    if (labelEnd <= at) return undefined;
    const label = text.slice(at, labelEnd);
    const entry = readPlace(text, labelEnd);
    // The broker writes no label twice.
    if (entry === undefined || places.has(label)) return undefined;
    places.set(label, entry.place);
    at = entry.end;
  }
  return places;
}

/** Returns undefined when there is no place at the offset. */
function readPlace(text: string, offset: number): { place: Place; end: number } | undefined {
  const first = text[offset];
  if (first === NOT_BEGUN) return { place: 'not-begun', end: offset + 1 };
  if (first === ESCAPE) {
    const point = text.indexOf('.', offset);
    const place = point === offset + 1 ? 'unreadable' : parseEventId(text.slice(offset + 1, point));
    return place === undefined || point < 0 ? undefined : { place, end: point + 1 };
  }
  const end = offset + ID_LENGTH;
  let number = 0;
  for (let at = offset; at < end; at++) {
    const value = VALUES.get(text[at] ?? '');
    if (value === undefined) return undefined;
    number = number * BASE + value;
  }
  return { place: `${EPOCH_MS + Math.floor(number / SEQS)}-${number % SEQS}` as EventId, end };
}
