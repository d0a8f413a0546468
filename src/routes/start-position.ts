import type { ChannelName } from '../events/channel-name.ts';
import { parseCursor, withState } from '../events/cursor.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';

export type Query = Record<string, string | string[] | undefined>;

/** RFC 3339 §5.6, which requires a time zone. */
export const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
export const EPOCH_MS = /^\d{1,15}$/;
export const COUNT = /^\d{1,10}$/;
const MAX_LAST = 1_000_000;
/** Names that clients use for the cursor in the query. The first one present counts. */
const CURSOR_PARAMETERS = ['last_event_id', 'lastEventId', 'lastEventID', 'last-event-id', 'Last-Event-ID'];

/**
 * Decides where a subscriber begins in each of its channels (docs/protocol.md §4). A cursor wins over `last` and `since`: these
 * stay in the URL of every reconnect, while the cursor says what the client has seen by now. A cursor also wins over `state`.
 * @throws BrokerError `invalid-query` for an invalid `last` or `since` that counts, and for `state` with a value or beside one of
 *   them; never for a cursor
 */
export function startPositions(
  lastEventId: string | string[] | undefined,
  query: Query,
  channels: readonly ChannelName[],
): Start[] {
  const starts = startsWithoutState(lastEventId, query, channels);
  return wantsState(query) ? starts.map(withState) : starts;
}

function wantsState({ state, last, since }: Query): boolean {
  if (state === undefined) return false;
  if (state !== '') throw new BrokerError('invalid-query', 'state takes no value: ?state.');
  if (last !== undefined || since !== undefined)
    throw new BrokerError('invalid-query', 'Use state without last= and since=.');
  return true;
}

function startsWithoutState(
  lastEventId: string | string[] | undefined,
  query: Query,
  channels: readonly ChannelName[],
): Start[] {
  for (const cursor of [lastEventId, ...CURSOR_PARAMETERS.map((name) => query[name])]) {
    // A client that has seen nothing may send an empty cursor. When a cursor is given twice, the right one is unknown.
    if (cursor === undefined || cursor === '') continue;
    if (Array.isArray(cursor)) return channels.map(() => ({ from: 'unreadable' }));
    return parseCursor(cursor, channels, () => startInUrl(query));
  }
  const start = startInUrl(query);
  return channels.map(() => start);
}

function startInUrl({ last, since }: Query): Start {
  if (last !== undefined && since !== undefined)
    throw new BrokerError('invalid-query', 'Use last= or since=, not both.');
  if (last !== undefined) return { from: 'last', count: parseCount(last) };
  if (since !== undefined) return { from: 'time', ms: parseTime(since) };
  return { from: 'tail' };
}

function parseCount(text: string | string[]): number {
  if (typeof text === 'string' && COUNT.test(text)) return Math.min(Number(text), MAX_LAST);
  throw new BrokerError('invalid-query', 'last= needs a number of events, such as last=10.');
}

/** Refuses days such as 30 February, which `Date` reads as 2 March. */
function isDay(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function parseTime(text: string | string[]): number {
  if (typeof text === 'string') {
    if (EPOCH_MS.test(text)) return Number(text);
    // The query parser turns the plus sign of a time zone into a space.
    const time = text.replace(/ (\d\d:\d\d)$/, '+$1');
    // RFC 3339 allows the leap second :60, but `Date` does not.
    const ms =
      RFC_3339.test(time) && isDay(time.slice(0, 10))
        ? Date.parse(time.replace(/:60(?=[.Zz+-])/, ':59'))
        : NaN;
    if (!Number.isNaN(ms)) return ms;
  }
  throw new BrokerError(
    'invalid-query',
    'since= needs a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970.',
  );
}
