declare const brand: unique symbol;

/**
 * `<ms>-<seq>`, the id of a Redis stream entry: two unsigned 64-bit numbers without leading zeros. Kept as text,
 * because that is how it travels; ordered by {@link compareEventIds}.
 */
export type EventId = string & { readonly [brand]: 'EventId' };

/** The tail of a channel that never had an event, and the predecessor of a first event. */
export const ORIGIN = '0-0' as EventId;

/** What a publisher hands in, checked. */
export interface NewEvent {
  /** No control characters, 1 to 200 characters. */
  readonly type?: string | undefined;
  /** The event is the newest value of this key: 1 to 200 visible ASCII characters. */
  readonly key?: string | undefined;
  /** No event follows it in its channel. */
  readonly last?: boolean | undefined;
  readonly data: string;
}

/** An event as the log keeps it. */
export interface StoredEvent {
  readonly id: EventId;
  /** The id of the event before this one in the channel: the chain by which loss is noticed. */
  readonly prev: EventId;
  /** The event itself in the form of `record.ts`; its version is known to this broker. */
  readonly record: Buffer;
}

/** What an event takes in memory besides its record: its object, its ids, and what Node keeps for a buffer; on the high side. */
export const EVENT_OVERHEAD_BYTES = 400;

export const EVENT_ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;
const MAX_U64 = '18446744073709551615';
const MAX_SEQ = MAX_U64;

/** Reads an id in its canonical form; undefined for anything else. */
export function parseEventId(text: string): EventId | undefined {
  const match = EVENT_ID.exec(text);
  if (!match) return undefined;
  const [, ms = '', seq = ''] = match;
  return compareDigits(ms, MAX_U64) <= 0 && compareDigits(seq, MAX_U64) <= 0 ? (text as EventId) : undefined;
}

/** Order within a channel: negative when `a` came before `b`, 0 when they are the same. */
export function compareEventIds(a: EventId, b: EventId): number {
  if (a === b) return 0;
  const dashA = a.indexOf('-');
  const dashB = b.indexOf('-');
  // Numbers without leading zeros: the longer one is the larger, equal lengths compare as text.
  if (dashA !== dashB) return dashA - dashB;
  const ms = compareDigits(a.slice(0, dashA), b.slice(0, dashB));
  return ms === 0 ? compareDigits(a.slice(dashA + 1), b.slice(dashB + 1)) : ms;
}

/** Milliseconds since the epoch, by the log's clock, at which the event was appended. */
export function eventTime(id: EventId): number {
  return Number(id.slice(0, id.indexOf('-')));
}

/** The largest id that lies before the given moment (epoch ms): reading after it gives all events since then. */
export function lastIdBefore(ms: number): EventId {
  return ms <= 0 ? ORIGIN : (`${ms - 1}-${MAX_SEQ}` as EventId);
}

function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
