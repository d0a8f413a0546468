import type { Buffer } from 'node:buffer';
import { BrokerError } from '../../events/errors.ts';
import { channelEnded, keyReused, tailMismatch } from '../append-refusals.ts';
import type { Appended, ChannelAbout, ChannelState, LogPage } from '../event-log.ts';
import { ORIGIN, parseEventId } from '../../events/event.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import { isKnownVersion, unknownVersion } from '../../events/record.ts';
import { ownBytes } from './announcement.ts';

/**
 * Reads the reply of append.lua.
 * @throws BrokerError `channel-ended`, `tail-mismatch`, `idempotency-key-reused`
 */
export function appendedOf(reply: unknown): readonly Appended[] {
  const [outcome, ...flat] = reply as [Buffer, ...(Buffer | number)[]];
  switch (outcome.toString()) {
    case 'ended':
      throw channelEnded();
    case 'mismatch':
      throw tailMismatch(eventIdOf(flat[0]));
    case 'reused':
      throw keyReused();
    default:
  }
  const appended: Appended[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    appended.push({ id: eventIdOf(flat[i]), replayed: flat[i + 1] === 1 });
  return appended;
}

/** Reads the reply of state.lua. */
export function stateOf(reply: unknown): ChannelState {
  const [id, mark] = reply as [Buffer, Buffer];
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
  const [tail, mark, first, length, bytes] = reply as [Buffer, Buffer, Buffer, number, number];
  const state = stateOf([tail, mark]);
  return { state, first: first.length === 0 ? null : eventIdOf(first), length, bytes, keys: 0 };
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
 * Reads the id in a script's reply.
 * @throws BrokerError `log-unavailable` (trouble `WRONGTYPE`) for a text that is not an id, which no broker has written
 */
export function eventIdOf(reply: unknown): EventId {
  const id = parseEventId((reply as Buffer).toString('latin1'));
  if (id !== undefined) return id;
  const detail = 'A key of Sluice in Redis holds a value that Sluice did not write.';
  throw new BrokerError('log-unavailable', detail, { trouble: 'WRONGTYPE' });
}
