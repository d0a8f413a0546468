import type { ChannelName } from '../core/channel-name.ts';
import { parseCursor } from '../core/cursor.ts';
import type { Start } from '../core/cursor.ts';
import { BrokerError } from '../core/errors.ts';

export type Query = Record<string, string | string[] | undefined>;

/** RFC 3339 §5.6, with the time zone it requires. */
export const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
export const EPOCH_MS = /^\d{1,15}$/;
export const COUNT = /^\d{1,10}$/;
const MAX_LAST = 1_000_000;
/** What clients that cannot send the header call it in the query, the first that is there counts. */
const CURSOR_PARAMETERS = ['last_event_id', 'lastEventId', 'lastEventID', 'last-event-id', 'Last-Event-ID'];

/**
 * Where a subscriber begins (docs/protocol.md §4). A cursor, from wherever it comes, wins over `last` and `since`: those
 * stand in the URL of every reconnect, the cursor says what has been seen since.
 * @throws BrokerError `invalid-query` for a `last` or `since` that cannot be read; never for a cursor
 */
export function startPosition(
  lastEventId: string | string[] | undefined,
  query: Query,
  channel: ChannelName,
): Start {
  for (const cursor of [lastEventId, ...CURSOR_PARAMETERS.map((name) => query[name])]) {
    // An empty one is what a client sends that has seen nothing. Given twice, there is no telling which is meant.
    if (cursor !== undefined && cursor !== '')
      return Array.isArray(cursor) ? { from: 'unreadable' } : parseCursor(cursor, channel);
  }
  const { last, since } = query;
  if (last !== undefined && since !== undefined)
    throw new BrokerError('invalid-query', 'Give last= or since=, not both.');
  if (last !== undefined) return { from: 'last', count: parseCount(last) };
  if (since !== undefined) return { from: 'time', ms: parseTime(since) };
  return { from: 'tail' };
}

function parseCount(text: string | string[]): number {
  if (typeof text === 'string' && COUNT.test(text)) return Math.min(Number(text), MAX_LAST);
  throw new BrokerError('invalid-query', 'last= takes a number of events, such as last=10.');
}

/** Date takes 30 February for 2 March. */
function isDay(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

function parseTime(text: string | string[]): number {
  if (typeof text === 'string') {
    if (EPOCH_MS.test(text)) return Number(text);
    // A plus sign in a query is a space to those who decode forms.
    const time = text.replace(/ (\d\d:\d\d)$/, '+$1');
    // A leap second is a time like any other, but not to Date.
    const ms =
      RFC_3339.test(time) && isDay(time.slice(0, 10))
        ? Date.parse(time.replace(/:60(?=[.Zz+-])/, ':59'))
        : NaN;
    if (!Number.isNaN(ms)) return ms;
  }
  throw new BrokerError(
    'invalid-query',
    'since= takes a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970.',
  );
}
