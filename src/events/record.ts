import { Buffer } from 'node:buffer';
import type { ChannelName } from './channel-name.ts';
import { BrokerError } from './errors.ts';
import type { NewEvent, StoredEvent } from './event.ts';
import { TextEvent } from './text-event.ts';

/**
 * The form in which a log keeps and announces an event. The form is neutral: each replica
 * encodes it for its own subscribers. A record begins with its version, so that two releases of the broker can share a log:
 *
 *     record  = version-1 | version-0
 *     version-1 = "1" LF *( field LF ) LF data
 *     field   = "t" type | "k" key
 *     version-0 = "0" SSE-fields
 *
 * `t` is the event's type and `k` its key. Types and keys hold no line break. Fields with other letters are ignored. The
 * published data reach to the end of the record. An event of the type `sluice:cleared` says that the events before it were
 * deleted. An event of the type `sluice:deleted` says that its key was deleted. Publishers cannot use these types.
 *
 * Version 0 is the form of the release before: the event's SSE fields without the id, ending in a blank line. This release
 * reads version 0 and never writes it.
 */
const VERSION_1 = 0x31;
const VERSION_0 = 0x30;
const LF = 0x0a;
const TYPE = 0x74;
const KEY = 0x6b;
/** How the record of a `sluice:cleared` begins. */
const CLEARED = Buffer.from('1\ntsluice:cleared\n');
/** How the records of all of the broker's own events begin. */
const BROKER_EVENT = Buffer.from('1\ntsluice:');

const CLEARED_TYPE = 'sluice:cleared';
const DELETED = 'sluice:deleted';
/** How the record of an event without a type and without a key begins. */
const PLAIN_HEAD = '1\n\n';

/** The parts of a record of version 1. */
export interface RecordFields {
  readonly version: 1;
  readonly type: string | undefined;
  readonly key: string | undefined;
  /** A view of the record, not a copy. */
  readonly data: Buffer;
}

/** A record of version 0. */
export interface RecordedFrame {
  readonly version: 0;
  /** The SSE fields, without the id; a view of the record. */
  readonly fields: Buffer;
}

/** The event that a log appends when it clears a channel. */
export function clearedEvent(channel: ChannelName): NewEvent {
  return { type: CLEARED_TYPE, data: `{"channel":"${channel}"}` };
}

/** The event that makes the log forget the newest event of a key. Its record has the key. */
export function deletedEvent(channel: ChannelName, key: string): NewEvent {
  return { type: DELETED, key, data: JSON.stringify({ channel, key }) };
}

/** Whether the event is a {@link deletedEvent}. */
export function deletesKey({ type }: NewEvent): boolean {
  return type === DELETED;
}

/** Returns the record of an event as text. The caller encodes it as UTF-8. */
export function encodeRecord(event: NewEvent): string {
  return recordHead(event) + event.data;
}

/** The part of an event's record before the data. */
export function recordHead({ type, key }: NewEvent): string {
  if (type === undefined && key === undefined) return PLAIN_HEAD;
  let head = '1\n';
  if (type !== undefined) head += `t${type}\n`;
  if (key !== undefined) head += `k${key}\n`;
  return `${head}\n`;
}

/** The parts of an event as they were published. In records of version 0, line breaks in the data have become LF. */
export interface EventParts {
  readonly type: string | undefined;
  readonly key: string | undefined;
  readonly data: string;
}

/** @throws BrokerError as {@link readRecord} */
export function eventParts(record: Buffer): EventParts {
  const start = plainDataStart(record);
  if (start >= 0) return { type: undefined, key: undefined, data: record.toString('utf8', start) };
  const parts = readRecord(record);
  if (parts.version === 1) return { type: parts.type, key: parts.key, data: parts.data.toString() };
  const lines = parts.fields.toString().split('\n');
  const valuesOf = (field: string): string[] =>
    lines.filter((line) => line.startsWith(field)).map((line) => line.slice(field.length));
  return { type: valuesOf('event: ')[0], key: undefined, data: valuesOf('data: ').join('\n') };
}

/** @throws BrokerError `log-unavailable` (trouble `version`) for a version that this broker does not know */
export function readRecord(record: Buffer): RecordFields | RecordedFrame {
  if (record[0] === VERSION_0) return { version: 0, fields: record.subarray(1) };
  if (record[0] !== VERSION_1 || record[1] !== LF) throw unknownVersion(record);
  let type: string | undefined;
  let key: string | undefined;
  let start = 2;
  while (record[start] !== LF) {
    const end = record.indexOf(LF, start);
    if (end < 0) throw unknownVersion(record);
    if (record[start] === TYPE) type = record.toString('utf8', start + 1, end);
    else if (record[start] === KEY) key = record.toString('latin1', start + 1, end);
    start = end + 1;
  }
  return { version: 1, type, key, data: record.subarray(start + 1) };
}

/** The length of an event's record. Does not encode the record. */
export function recordLength(event: StoredEvent): number {
  return event instanceof TextEvent ? event.bytes : event.record.length;
}

/** Whether the event is a `sluice:cleared`. Does not encode its record. */
export function isCleared(event: StoredEvent): boolean {
  return event instanceof TextEvent ? event.type === CLEARED_TYPE : clearsChannel(event.record);
}

/** Whether the record is that of a `sluice:cleared`. For nearly all records this reads one or two bytes. */
export function clearsChannel(record: Buffer): boolean {
  return record[2] === TYPE && record[3] === CLEARED[3] && record.subarray(0, CLEARED.length).equals(CLEARED);
}

/** Whether the event is one of the broker's own: its type begins with `sluice:`. Publishers cannot use such a type. */
export function isBrokerEvent(record: Buffer): boolean {
  if (record[0] !== VERSION_1 || record[2] !== TYPE || record[3] !== CLEARED[3]) return false;
  return record.subarray(0, BROKER_EVENT.length).equals(BROKER_EVENT);
}

/** Whether events of the type are the broker's own. */
export function isBrokerType(type: string | undefined): boolean {
  return type?.startsWith('sluice:') === true;
}

/** Whether {@link readRecord} can read the record. */
export function isKnownVersion(record: Buffer): boolean {
  if (record[0] === VERSION_0) return true;
  if (record[0] !== VERSION_1 || record[1] !== LF) return false;
  let start = 2;
  while (record[start] !== LF) {
    const end = record.indexOf(LF, start);
    if (end < 0) return false;
    start = end + 1;
  }
  return true;
}

export function unknownVersion(record: Buffer): BrokerError {
  const version = JSON.stringify(record.toString('latin1', 0, 8).split('\n', 1)[0]);
  return new BrokerError(
    'log-unavailable',
    `The log holds an event of a newer version of Sluice (its record begins with ${version}). Upgrade this replica.`,
    { trouble: 'version' },
  );
}

/** How many bytes a stream writes at most for one byte of a line break. In SSE, LF becomes `LF "data: "`. */
const MAX_GROWTH = 7;
const CR = 0x0d;
/** What is sent of an event besides its record and its id: `id: `, `data: ` and line ends, for the record's own head. */
const FIELD_NAMES = 10;

/** Bytes that the event is sent as when its data have no line break; more with them. */
export function plainLength(event: StoredEvent): number {
  return recordLength(event) + event.id.length + FIELD_NAMES;
}

/**
 * Returns how many of the first events a stream sends in at most `maxBytes`, but at least one. Counts line breaks only when the
 * events could exceed the limit.
 */
export function countWithin(events: readonly StoredEvent[], maxBytes: number): number {
  let most = 0;
  for (const event of events) {
    most += plainLength(event) + recordLength(event) * (MAX_GROWTH - 1);
    if (most > maxBytes) return countExactly(events, maxBytes);
  }
  return events.length;
}

function countExactly(events: readonly StoredEvent[], maxBytes: number): number {
  let left = maxBytes;
  for (const [index, event] of events.entries()) {
    left -= sentLength(event, left);
    if (left < 0) return Math.max(1, index);
  }
  return events.length;
}

/** Bytes that an event is sent as, or an upper bound; gives up above `enough`. */
export function sentLength(event: StoredEvent, enough = Infinity): number {
  const { record } = event;
  let length = plainLength(event);
  // The data of version 0 have their field names already.
  if (record[0] !== VERSION_1) return length;
  let start = 2;
  while (start < record.length && record[start] !== LF) {
    length += MAX_GROWTH - 1;
    start = record.indexOf(LF, start) + 1 || record.length;
  }
  return length + lineGrowth(record, start + 1, enough - length);
}

/**
 * By how many bytes the line breaks behind `start` make the data longer when they are sent; 0 when there is none. Each of CRLF, CR
 * and LF is one. Gives up above `enough`.
 */
export function lineGrowth(record: Buffer, start: number, enough = Infinity): number {
  if (!record.includes(LF, start) && !record.includes(CR, start)) return 0;
  let growth = 0;
  for (let i = start; i < record.length && growth <= enough; i++) {
    const byte = record[i];
    if (byte === LF) growth += MAX_GROWTH - 1;
    else if (byte === CR) growth += record[i + 1] === LF ? -1 : MAX_GROWTH - 1;
  }
  return growth;
}

/** Where the data of a record begin that has no fields; -1 for any other record. Spares the objects of {@link readRecord}. */
export function plainDataStart(record: Buffer): number {
  return record[0] === VERSION_1 && record[1] === LF && record[2] === LF ? 3 : -1;
}
