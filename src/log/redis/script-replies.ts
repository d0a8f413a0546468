import type { Buffer } from 'node:buffer';
import { BrokerError } from '../../events/errors.ts';
import type { Appended, LogPage } from '../event-log.ts';
import { parseEventId } from '../../events/event.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import { isKnownVersion, unknownVersion } from '../../events/record.ts';
import { ownBytes } from './announcement.ts';

/** Reads the reply of append.lua. */
export function appendedOf(reply: unknown): readonly Appended[] {
  const flat = reply as (Buffer | number)[];
  const appended: Appended[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    appended.push({ id: eventIdOf(flat[i]), replayed: flat[i + 1] === 1 });
  return appended;
}

/**
 * Reads the reply of read.lua. The page ends before a record of an unknown version.
 * @throws BrokerError `log-unavailable` (trouble `version`) when that is the first record
 */
export function pageOf(reply: unknown): LogPage {
  const [tail, complete, room, ...flat] = reply as [Buffer, number, number, ...Buffer[]];
  const events: StoredEvent[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const [id, prev, record] = flat.slice(i, i + 3) as [Buffer, Buffer, Buffer];
    if (!isKnownVersion(record)) {
      if (i === 0) throw unknownVersion(record);
      break;
    }
    events.push({ id: eventIdOf(id), prev: eventIdOf(prev), record: ownBytes(record) });
  }
  return { events, tail: eventIdOf(tail), ended: false, complete: complete === 1, room };
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
