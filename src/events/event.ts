declare const brand: unique symbol;

/**
 * `<ms>-<seq>`, the id of a Redis stream entry: two unsigned 64-bit numbers without leading zeros. An id is kept as text,
 * as it is sent. {@link compareEventIds} orders ids.
 */
export type EventId = string & { readonly [brand]: 'EventId' };

/** The tail of a channel that never had an event, and the predecessor of a channel's first event. */
export const ORIGIN = '0-0' as EventId;

/** A checked event from a publisher, before the log gives it an id. */
export interface NewEvent {
  /** No control characters, 1 to 200 characters. */
  readonly type?: string | undefined;
  /**
   * The event is the newest value of this key: 1 to 200 visible ASCII characters. The empty key stands for all events without a
   * key, in a channel whose policy keeps the latest of them.
   */
  readonly key?: string | undefined;
  readonly data: string;
}

/** An event in the log. */
export interface StoredEvent {
  readonly id: EventId;
  /** The id of the event before this one in the channel, its predecessor. A replica finds missing events by it. */
  readonly prev: EventId;
  /**
   * The event in the form of `record.ts`. This broker knows the record's version. A {@link TextEvent} encodes its record at each
   * call, so the functions of `record.ts` are to be asked first.
   */
  readonly record: Buffer;
}

/** The memory of an event besides its record, rounded up: its object, its ids, and Node's overhead for a buffer. */
export const EVENT_OVERHEAD_BYTES = 400;

export const EVENT_ID = /^(0|[1-9]\d{0,19})-(0|[1-9]\d{0,19})$/;
const MAX_U64 = '18446744073709551615';
const MAX_SEQ = MAX_U64;

/** Reads an id in its canonical form. Returns undefined for any other text. */
export function parseEventId(text: string): EventId | undefined {
  if (isShortId(text)) return text as EventId;
  const match = EVENT_ID.exec(text);
  if (!match) return undefined;
  const [, ms = '', seq = ''] = match;
  return compareDigits(ms, MAX_U64) <= 0 && compareDigits(seq, MAX_U64) <= 0 ? (text as EventId) : undefined;
}

/** With at most this many characters, neither number of an id exceeds 64 bits. */
const SHORT_ID = 19;
const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Whether the text is a short id, as nearly all ids are. A regular expression would make an object and three texts. */
function isShortId(text: string): boolean {
  const { length } = text;
  if (length > SHORT_ID) return false;
  let start = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code >= ZERO && code <= NINE) continue;
    if (code !== DASH || start > 0 || !isNumber(text, 0, i)) return false;
    start = i + 1;
  }
  return start > 0 && isNumber(text, start, length);
}

/** Whether digits are a number without leading zeros. */
function isNumber(digits: string, start: number, end: number): boolean {
  return end - start === 1 || (end > start && digits.charCodeAt(start) !== ZERO);
}

/** Orders the ids of a channel: negative when `a` came before `b`, 0 when they are equal. */
export function compareEventIds(a: EventId, b: EventId): number {
  if (a === b) return 0;
  const dashA = a.indexOf('-');
  // Of ids of one form the larger one is also the larger text.
  if (a.length === b.length && b.charCodeAt(dashA) === DASH) return a < b ? -1 : 1;
  const dashB = b.indexOf('-');
  // Numbers without leading zeros: the longer one is the larger, equal lengths compare as text.
  if (dashA !== dashB) return dashA - dashB;
  const ms = compareDigits(a.slice(0, dashA), b.slice(0, dashB));
  return ms === 0 ? compareDigits(a.slice(dashA + 1), b.slice(dashB + 1)) : ms;
}

/** When the event was appended, in epoch ms by the log's clock. */
export function eventTime(id: EventId): number {
  let ms = 0;
  // The text of an id holds only digits before the dash.
  for (let i = 0, code = id.charCodeAt(0); code !== DASH && i < id.length; code = id.charCodeAt(++i))
    ms = ms * 10 + code - ZERO;
  return ms;
}

/** The largest id before the given time (epoch ms). Reading after it gives all events since then. */
export function lastIdBefore(ms: number): EventId {
  return ms <= 0 ? ORIGIN : (`${ms - 1}-${MAX_SEQ}` as EventId);
}

function compareDigits(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
