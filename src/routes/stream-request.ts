import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { Start } from '../events/cursor.ts';
import { parseDuration } from '../events/duration.ts';
import { BrokerError } from '../events/errors.ts';
import { wantsOnlyActive } from './finished-stream.ts';
import { readWait } from './page-query.ts';
import { startPositions } from './start-position.ts';
import type { Query } from './start-position.ts';

/** A time from `1s` to `60s`. */
export const HEARTBEAT =
  /^(?:[1-9](?:\.\d+)?s|[1-5]\d(?:\.\d+)?s|60s|[1-9]\d{3}(?:\.\d+)?ms|[1-5]\d{4}(?:\.\d+)?ms|60000ms|1m)$/;

export interface SubscribeRoute {
  Params: { channel?: string };
  Querystring: Query;
}

export type SubscribeRequest = FastifyRequest<SubscribeRoute>;

/** The parts of a request that decide about its stream, however it was received. */
export interface StreamQuestion {
  readonly headers: IncomingHttpHeaders;
  readonly query: Query;
}

/** What the client requested. */
export interface StreamRequest {
  readonly channels: readonly ChannelName[];
  /** One for each channel. */
  readonly starts: readonly Start[];
  readonly address: string;
  readonly heartbeatEvents: boolean;
  /** How long the stream may be silent, in ms; undefined for SLUICE_HEARTBEAT. */
  readonly heartbeatMs: number | undefined;
  /** How long the stream waits for news before it ends, in ms; undefined for a stream that does not end by itself. */
  readonly wait: number | undefined;
  /** The client wants no stream of a channel that is empty or has ended. */
  readonly onlyActive: boolean;
  /** The client wants no events of the broker. */
  readonly plain: boolean;
}

/**
 * @param address the client's address, or its network for IPv6
 * @param isSingle whether the path names a single channel
 * @throws BrokerError `invalid-query`
 */
export function readStreamRequest(
  { headers, query }: StreamQuestion,
  channels: readonly ChannelName[],
  address: string,
  isSingle: boolean,
): StreamRequest {
  if (isSingle && query['channel'] !== undefined)
    throw new BrokerError(
      'invalid-query',
      'The path names the channel already. For several: /events?channel=a&channel=b.',
    );
  return {
    channels,
    starts: startPositions(headers['last-event-id'], query, channels),
    address,
    ...readHeartbeat(query),
    wait: readWait(query['wait']),
    onlyActive: wantsOnlyActive(query, isSingle),
    plain: wantsPlain(query, isSingle),
  };
}

/**
 * Reads `channel=` of a stream with many channels.
 * @throws BrokerError `invalid-channel`, `invalid-query`
 */
export function channelsOf({ channel }: Query, most: number): readonly ChannelName[] {
  const texts = channel === undefined ? [] : [channel].flat();
  if (texts.length === 0)
    throw new BrokerError('invalid-query', 'Name the channels, such as /events?channel=a&channel=b.');
  if (texts.length > most)
    throw new BrokerError(
      'invalid-query',
      `The query names ${texts.length} channels; one stream may have ${most} (SLUICE_MAX_CHANNELS_PER_CONNECTION).`,
    );
  const names = new Set<ChannelName>();
  for (const text of texts) {
    const name = parseOneOfMany(text);
    if (names.has(name)) throw new BrokerError('invalid-query', `The query names the channel ${name} twice.`);
    names.add(name);
  }
  return [...names];
}

/** @throws BrokerError `invalid-channel` whose problem document has the name, so that a client can go on without it */
function parseOneOfMany(text: string): ChannelName {
  try {
    return parseChannelName(text);
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    throw new BrokerError(error.code, error.message, { cause: error, members: { channel: text } });
  }
}

/** @throws BrokerError `invalid-query` */
function readHeartbeat({ heartbeat }: Query): Pick<StreamRequest, 'heartbeatEvents' | 'heartbeatMs'> {
  if (heartbeat === undefined) return { heartbeatEvents: false, heartbeatMs: undefined };
  if (heartbeat === 'event') return { heartbeatEvents: true, heartbeatMs: undefined };
  if (typeof heartbeat === 'string' && HEARTBEAT.test(heartbeat))
    return { heartbeatEvents: false, heartbeatMs: parseDuration(heartbeat) };
  throw new BrokerError(
    'invalid-query',
    'heartbeat= may be event, or a time from 1s to 60s, such as heartbeat=5s. It has one value.',
  );
}

/**
 * Reads `plain`.
 * @param isSingle whether the stream has a single channel
 * @throws BrokerError `invalid-query`
 */
function wantsPlain({ plain, heartbeat, wait }: Query, isSingle: boolean): boolean {
  if (plain === undefined) return false;
  if (plain !== '') throw new BrokerError('invalid-query', 'plain takes no value: /events/<channel>?plain.');
  if (!isSingle)
    throw new BrokerError('invalid-query', 'plain is for a single channel: /events/<channel>?plain.');
  if (heartbeat === 'event')
    throw new BrokerError(
      'invalid-query',
      'A plain stream has no heartbeat events. Remove plain or heartbeat=event.',
    );
  if (wait !== undefined)
    throw new BrokerError(
      'invalid-query',
      'A plain stream ends only with its channel, so it cannot wait. Remove plain or wait=.',
    );
  return true;
}
