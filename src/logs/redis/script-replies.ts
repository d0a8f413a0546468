import { Buffer } from 'node:buffer';
import { BrokerError } from '../../core/errors.ts';
import type { Appended, LogPage } from '../../core/event-log.ts';
import { parseEventId } from '../../core/event.ts';
import type { EventId, StoredEvent } from '../../core/event.ts';
import { ownBytes } from './announcement.ts';

const ID = Buffer.from('id: ');
const LF = Buffer.from('\n');

/** Of append.lua. */
export function appendedOf(reply: unknown): Appended {
  const [id, replayed] = reply as [Buffer, number];
  return { id: eventIdOf(id), replayed: replayed === 1 };
}

/** Of read.lua. */
export function pageOf(reply: unknown): LogPage {
  const [tail, complete, room, ...flat] = reply as [Buffer, number, number, ...Buffer[]];
  const events: StoredEvent[] = [];
  for (let i = 0; i + 2 < flat.length; i += 3) {
    const [id, prev, fields] = flat.slice(i, i + 3) as [Buffer, Buffer, Buffer];
    events.push({ id: eventIdOf(id), prev: eventIdOf(prev), frame: ownBytes(ID, id, LF, fields) });
  }
  return { events, tail: eventIdOf(tail), complete: complete === 1, room };
}

/** Of rewind.lua, and any other id. What is no id here, no broker has written. */
export function eventIdOf(reply: unknown): EventId {
  const id = parseEventId((reply as Buffer).toString('latin1'));
  if (id !== undefined) return id;
  const detail = 'Redis holds something at a key of Sluice that Sluice did not write.';
  throw new BrokerError('log-unavailable', detail, { trouble: 'WRONGTYPE' });
}
