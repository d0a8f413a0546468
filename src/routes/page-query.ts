import type { IncomingHttpHeaders } from 'node:http';
import type { ChannelName } from '../events/channel-name.ts';
import type { HistoryStart } from '../delivery/history-reader.ts';
import { parseDuration } from '../events/duration.ts';
import { BrokerError } from '../events/errors.ts';
import { startPositions } from './start-position.ts';
import type { Query } from './start-position.ts';

const DEFAULT_LIMIT = 100;
/** A number from 1 to 10000. */
export const LIMIT = /^(?:[1-9]\d{0,3}|10000)$/;
/** A time from `0s` to `60s`. */
export const WAIT = /^(?:[0-5]?\d(?:\.\d+)?s|60s|(?:\d{1,4}|[1-5]\d{4})(?:\.\d+)?ms|60000ms|[01]m)$/;

/** What the client wants to read. */
export interface PageQuery {
  readonly start: HistoryStart;
  /** The largest number of events. */
  readonly limit: number;
  /** How long to wait for an event, in ms. */
  readonly wait: number;
}

/** @throws BrokerError `invalid-query`, never for a cursor */
export function readPageQuery(headers: IncomingHttpHeaders, query: Query, channel: ChannelName): PageQuery {
  const { after, limit, wait, state, ...rest } = query;
  if (state !== undefined)
    throw new BrokerError('invalid-query', `Read the state at /channels/${channel}/state.`);
  const cursor = after === undefined || after === '' ? headers['last-event-id'] : after;
  const [start = { from: 'tail' }] = startPositions(cursor, rest, [channel]) as HistoryStart[];
  return { start, limit: readLimit(limit), wait: readWait(wait) ?? 0 };
}

function readLimit(text: Query[string]): number {
  if (text === undefined) return DEFAULT_LIMIT;
  if (typeof text === 'string' && LIMIT.test(text)) return Number(text);
  throw new BrokerError(
    'invalid-query',
    'limit= needs a number of events from 1 to 10000, such as limit=100.',
  );
}

/**
 * Returns ms; undefined without `wait`.
 * @throws BrokerError `invalid-query`
 */
export function readWait(text: Query[string]): number | undefined {
  if (text === undefined) return undefined;
  const ms = typeof text === 'string' && WAIT.test(text) ? parseDuration(text) : undefined;
  if (ms !== undefined) return ms;
  throw new BrokerError(
    'invalid-query',
    'wait= needs a time from 0s to 60s, such as wait=20s or wait=500ms.',
  );
}
