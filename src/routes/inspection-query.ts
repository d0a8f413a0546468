import { BrokerError } from '../events/errors.ts';
import { CHANNEL_PREFIX } from '../events/channel-name.ts';
import type { Query } from './start-position.ts';

/** The number of channels of a page, or of subscribers in an answer: 1 to 1,000. */
export const LIMIT = /^(?:[1-9]\d{0,2}|1000)$/;
const DEFAULT_LIMIT = 100;
/** The number of busiest channels: 1 to 100. */
export const BUSIEST = /^(?:[1-9]\d?|100)$/;
/** In characters (code points), as `POST /disconnect` counts them. */
export const MAX_SUBJECT = 255;

/** The query of `GET /channels`: a page of channels, or the busiest ones. */
export type ChannelsQuery =
  | { readonly busiest: number }
  | { readonly prefix: string; readonly cursor: string | undefined; readonly limit: number };

/** @throws BrokerError `invalid-query` */
export function readChannelsQuery(query: Query): ChannelsQuery {
  const { prefix, after, limit, busiest } = readOnce(query, ['prefix', 'after', 'limit', 'busiest']);
  if (busiest !== undefined) {
    if (prefix !== undefined || after !== undefined || limit !== undefined)
      throw new BrokerError('invalid-query', 'busiest= stands alone: remove prefix=, after= and limit=.');
    if (BUSIEST.test(busiest)) return { busiest: Number(busiest) };
    throw new BrokerError('invalid-query', 'busiest= takes a whole number from 1 to 100.');
  }
  if (prefix !== undefined && !CHANNEL_PREFIX.test(prefix))
    throw new BrokerError(
      'invalid-query',
      'prefix= takes up to 200 characters of channel names: A-Z a-z 0-9 . _ : ~ -',
    );
  return { prefix: prefix ?? '', cursor: after === '' ? undefined : after, limit: readLimit(limit) };
}

/** @throws BrokerError `invalid-query` */
export function readSubscribersQuery(query: Query): {
  readonly subject: string | undefined;
  readonly limit: number;
} {
  const { sub, limit } = readOnce(query, ['sub', 'limit']);
  if (sub !== undefined && (sub === '' || Array.from(sub).length > MAX_SUBJECT))
    throw new BrokerError('invalid-query', `sub= takes 1 to ${MAX_SUBJECT} characters.`);
  return { subject: sub, limit: readLimit(limit) };
}

/** Refuses all parameters. @throws BrokerError `invalid-query` */
export function refuseQuery(query: Query): void {
  readOnce(query, []);
}

/** A parameter that is not known is refused: without a misspelled prefix, the answer would be about all channels. */
function readOnce(query: Query, known: readonly string[]): Readonly<Record<string, string | undefined>> {
  const values: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(query)) {
    if (!known.includes(name)) {
      const allowed = known.length === 0 ? 'none is allowed' : `allowed are ${known.join(', ')}`;
      throw new BrokerError(
        'invalid-query',
        `The query has "${name.slice(0, 100).toWellFormed()}"; ${allowed}.`,
      );
    }
    if (Array.isArray(value))
      throw new BrokerError('invalid-query', `The query has ${name}= more than once.`);
    values[name] = value;
  }
  return values;
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMIT;
  if (LIMIT.test(text)) return Number(text);
  throw new BrokerError('invalid-query', 'limit= takes a whole number from 1 to 1000.');
}
