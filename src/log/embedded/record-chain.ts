import type { EventId, StoredEvent } from '../../events/event.ts';
import type { LatestLimits } from '../event-log.ts';
import { NONE } from './block-store.ts';
import { eventId } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';

/** Events of one channel in the block store, each of which leads to the next. */
export interface RecordChain {
  /** Returns NONE after the last event. */
  next(event: number): number;
  id(event: number): IdParts;
  /** The size of the event's record in bytes. */
  length(event: number): number;
  /** Copies the event's record into `target`, from `start` on. */
  copyRecord(event: number, target: Buffer, start: number): void;
}

interface Copied {
  readonly events: readonly StoredEvent[];
  /** The first event that was not copied; NONE when all were. */
  readonly rest: number;
}

/**
 * Copies the events from `first` on, within the limits. The records of the copies share one buffer. Nothing else uses the buffer.
 * @param floor the predecessor of the first event
 */
export function copyChain(
  chain: RecordChain,
  first: number,
  floor: EventId,
  { limit, maxBytes }: LatestLimits,
): Copied {
  let bytes = 0;
  let count = 0;
  let rest = first;
  for (; rest !== NONE && count < limit; rest = chain.next(rest)) {
    const length = chain.length(rest);
    if (count > 0 && bytes + length > maxBytes) break;
    bytes += length;
    count++;
  }
  const buffer = Buffer.allocUnsafeSlow(bytes);
  const events: StoredEvent[] = [];
  let start = 0;
  let prev = floor;
  for (let event = first; events.length < count; event = chain.next(event)) {
    const end = start + chain.length(event);
    chain.copyRecord(event, buffer, start);
    const id = eventId(chain.id(event));
    events.push({ id, prev, record: buffer.subarray(start, end) });
    start = end;
    prev = id;
  }
  return { events, rest };
}
