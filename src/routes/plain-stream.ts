import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import { clearsChannel } from '../events/record.ts';
import type { FirstAnswer } from '../delivery/first-answer.ts';
import type { Hub } from '../delivery/hub.ts';
import type { StreamRequest } from './stream-request.ts';

export const UNREADABLE_CURSOR =
  'The cursor is not the id of an event, so events may be missing. Begin without a cursor.';

/**
 * Opens the stream, unless it is a plain one that would begin with a gap. The stream could not say that events may be missing, and
 * before its head the broker can. Returns a promise only when the log has to be asked.
 * @throws BrokerError `history-gone`, `log-unavailable`
 */
export function unlessGone(
  hub: Pick<Hub, 'firstOf'>,
  { plain, channels: [channel], starts: [start] }: StreamRequest,
  open: () => void,
): void | Promise<void> {
  if (channel === undefined || start === undefined || !mayBeGone(plain, start)) return open();
  if (start.from === 'unreadable') throw new BrokerError('history-gone', UNREADABLE_CURSOR);
  return hub.firstOf(channel, start).then((first) => {
    if (hasLost(first, start))
      throw new BrokerError(
        'history-gone',
        'Events after the cursor are no longer kept, or the cursor is not of this channel. Load the state from your own backend again, then begin without a cursor.',
      );
    open();
  });
}

/** Whether the log has to be asked before the stream opens. */
export function mayBeGone(plain: boolean, start: Start): boolean {
  // There is no event that a reader from the tail could miss, and `last` never has a gap.
  return plain && start.from !== 'tail' && start.from !== 'last';
}

/** A reader with a cursor has events that were deleted when the channel was cleared. */
function hasLost(first: FirstAnswer, start: Start): boolean {
  if (first.kind !== 'events') return first.kind === 'gap';
  const [event] = first.run.events;
  return start.from === 'id' && event !== undefined && clearsChannel(event.record);
}
