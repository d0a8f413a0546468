import { Buffer } from 'node:buffer';
import { BrokerError } from '../../events/errors.ts';
import { channelEnded, keyReused, tailMismatch } from '../append-refusals.ts';
import type { Appended, ChannelAbout, ChannelState, LatestPage, LogPage } from '../event-log.ts';
import { ORIGIN, compareEventIds } from '../../events/event.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import { isKnownVersion, unknownVersion } from '../../events/record.ts';
import { idAt, ownBytes } from './announcement.ts';

const BLANK = 0x20;
const LETTER_A = 0x61;

interface AppendReply {
  readonly appended: readonly Appended[];
  /** How many keys were dropped because there were too many. */
  readonly dropped: number;
}

/**
 * Reads the reply of append.lua.
 * @throws BrokerError `channel-ended`, `tail-mismatch`, `idempotency-key-reused`
 */
export function appendedOf(reply: unknown): AppendReply {
  const flat = reply as readonly (Buffer | number)[];
  const outcome = flat[0] as Buffer;
  // "appended" is the only outcome with this first letter.
  if (outcome[0] !== LETTER_A) refuse(outcome.toString(), flat[1]);
  const appended: Appended[] = [];
  for (let i = 2; i + 1 < flat.length; i += 2)
    appended.push({ id: eventIdOf(flat[i]), replayed: flat[i + 1] === 1 });
  return { appended, dropped: flat[1] as number };
}

function refuse(outcome: string, detail: unknown): void {
  switch (outcome) {
    case 'ended':
      throw channelEnded();
    case 'mismatch':
      throw tailMismatch(eventIdOf(detail));
    case 'reused':
      throw keyReused();
    default:
  }
}

/** Reads the reply of state.lua. */
export function stateOf(reply: unknown): ChannelState {
  const [id, mark] = reply as readonly [Buffer, Buffer];
  const tail = eventIdOf(id);
  switch (mark.toString()) {
    case 'ended':
      return { tail, status: 'ended' };
    case 'cleared':
      return { tail, status: 'empty' };
    default:
      return { tail, status: tail === ORIGIN ? 'empty' : 'open' };
  }
}

/** Reads the reply of about.lua. */
export function aboutOf(reply: unknown): ChannelAbout {
  const [tail, mark, first, length, bytes, keys] = reply as [Buffer, Buffer, Buffer, number, number, number];
  const state = stateOf([tail, mark]);
  return { state, first: first.length === 0 ? null : eventIdOf(first), length, bytes, keys };
}

/**
 * Reads the reply of read.lua. The page ends before a record of an unknown version.
 * @throws BrokerError `log-unavailable` (trouble `version`) when that is the first record
 */
export function pageOf(reply: unknown): LogPage {
  const [tail, complete, room, ended, ...flat] = reply as [Buffer, number, number, number, ...Buffer[]];
  const events: StoredEvent[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const [id, prev, record] = flat.slice(i, i + 3) as [Buffer, Buffer, Buffer];
    if (!isKnownVersion(record)) {
      if (i === 0) throw unknownVersion(record);
      break;
    }
    events.push({ id: eventIdOf(id), prev: eventIdOf(prev), record: ownBytes(record) });
  }
  return { events, tail: eventIdOf(tail), ended: ended === 1, complete: complete === 1, room };
}

/**
 * Reads the reply of latest.lua. Leaves out values that no broker has written.
 * @param upTo the tail of the first page; undefined for the first page
 * @throws BrokerError `log-unavailable` (trouble `version`) when a record has an unknown version
 */
export function latestPageOf(reply: unknown, upTo: EventId | undefined): LatestPage {
  const [id, mark, place, ...batches] = reply as [Buffer, Buffer, Buffer, ...(Buffer | null)[][]];
  const { tail, status } = stateOf([id, mark]);
  const last = upTo ?? tail;
  const found: LatestValue[] = [];
  let isLast = place.length === 0;
  for (const value of batches.flat()) {
    if (value === null) continue;
    const blank = value.indexOf(BLANK);
    const own = idAt(value, 0, blank);
    if (own === undefined) continue;
    if (compareEventIds(own, last) > 0) {
      isLast = true;
      break;
    }
    found.push({ id: own, value, start: blank + 1 });
  }
  const next = isLast ? undefined : { upTo: last, place: place.toString('latin1') };
  return { events: ownedEvents(found), tail, ended: status === 'ended', next };
}

/** A value of a channel's state: its record begins at `start`. */
interface LatestValue {
  readonly id: EventId;
  readonly value: Buffer;
  readonly start: number;
}

/** Copies the records into one buffer that nothing else uses: the values are views of the socket's read buffer. */
function ownedEvents(found: readonly LatestValue[]): StoredEvent[] {
  let bytes = 0;
  for (const { value, start } of found) bytes += value.length - start;
  const buffer = Buffer.allocUnsafeSlow(bytes);
  const events: StoredEvent[] = [];
  let at = 0;
  let prev = ORIGIN;
  for (const { id, value, start } of found) {
    const end = at + value.copy(buffer, at, start);
    const record = buffer.subarray(at, end);
    if (!isKnownVersion(record)) throw unknownVersion(record);
    events.push({ id, prev, record });
    at = end;
    prev = id;
  }
  return events;
}

/**
 * Reads the id in a script's reply.
 * @throws BrokerError `log-unavailable` (trouble `WRONGTYPE`) for a text that is not an id, which no broker has written
 */
export function eventIdOf(reply: unknown): EventId {
  const bytes = reply as Buffer;
  const id = idAt(bytes, 0, bytes.length);
  if (id !== undefined) return id;
  const detail = 'A key of Sluice in Redis holds a value that Sluice did not write.';
  throw new BrokerError('log-unavailable', detail, { trouble: 'WRONGTYPE' });
}
