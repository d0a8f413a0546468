import type { Start } from '../events/cursor.ts';
import { ORIGIN, compareEventIds, eventTime, lastIdBefore } from '../events/event.ts';
import type { EventId } from '../events/event.ts';

/**
 * The position of a subscriber with this start, in a channel with this tail. Undefined when only the log can give the position.
 */
export function positionOf(start: Start, tail: EventId): EventId | undefined {
  switch (start.from) {
    case 'tail':
      return tail;
    case 'unreadable':
      // A reader that comes back with this position, before it has the state, gets either all events or another gap.
      return start.state === true ? ORIGIN : tail;
    case 'id':
      return start.id;
    case 'earliest':
      return ORIGIN;
    case 'time': {
      const before = lastIdBefore(start.ms);
      return compareEventIds(before, tail) < 0 ? before : tail;
    }
    case 'last':
    case 'state':
      return undefined;
  }
}

/**
 * Whether the log has to be asked which id this start means. A reader whose stream ends before the answer has no cursor
 * yet, and has to send the same request again. An id made up for it could cause a gap.
 */
export function needsLog(start: Start | undefined): boolean {
  return start !== undefined && ['time', 'last', 'earliest', 'state'].includes(start.from);
}

/** Whether the channel's state follows each gap of a subscriber with this start. */
export function wantsState(start: Start): boolean {
  return start.from === 'state' || ('state' in start && start.state);
}

/**
 * Whether an incomplete page means that a subscriber with this start misses an event.
 * @param missing the newest event before the page, which the log has dropped
 */
export function isLoss(missing: EventId, start: Start | undefined): boolean {
  // `last` means kept events. Events that were dropped before the read are no loss.
  if (start?.from === 'last') return false;
  if (start?.from !== 'time') return true;
  return missing !== ORIGIN && eventTime(missing) >= start.ms;
}
