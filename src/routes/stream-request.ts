import type { FastifyRequest } from 'fastify';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import { clientAddress } from '../http/client-address.ts';
import { wantsOnlyActive } from './finished-stream.ts';
import { startPositions } from './start-position.ts';
import type { Query } from './start-position.ts';

export interface SubscribeRoute {
  Params: { channel?: string };
  Querystring: Query;
}

export type SubscribeRequest = FastifyRequest<SubscribeRoute>;

/** What the client requested. */
export interface StreamRequest {
  readonly channels: readonly ChannelName[];
  /** One for each channel. */
  readonly starts: readonly Start[];
  readonly address: string;
  readonly heartbeatEvents: boolean;
  /** The client wants no stream of a channel that is empty or has ended. */
  readonly onlyActive: boolean;
  /** The client wants no events of the broker. */
  readonly plain: boolean;
}

/** @throws BrokerError `invalid-query` */
export function readStreamRequest(
  request: SubscribeRequest,
  channels: readonly ChannelName[],
): StreamRequest {
  const { headers, query, params } = request;
  const isSingle = params.channel !== undefined;
  return {
    channels,
    starts: startPositions(headers['last-event-id'], query, channels),
    address: clientAddress(request),
    heartbeatEvents: wantsHeartbeatEvents(query),
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
    const name = parseChannelName(text);
    if (names.has(name)) throw new BrokerError('invalid-query', `The query names the channel ${name} twice.`);
    names.add(name);
  }
  return [...names];
}

/** @throws BrokerError `invalid-query` */
function wantsHeartbeatEvents({ heartbeat }: Query): boolean {
  if (heartbeat === undefined) return false;
  if (heartbeat === 'event') return true;
  throw new BrokerError(
    'invalid-query',
    'heartbeat= may only be event. Without it, heartbeats are comments.',
  );
}

/**
 * Reads `plain`.
 * @param isSingle whether the stream has a single channel
 * @throws BrokerError `invalid-query`
 */
function wantsPlain({ plain, heartbeat }: Query, isSingle: boolean): boolean {
  if (plain === undefined) return false;
  if (plain !== '') throw new BrokerError('invalid-query', 'plain takes no value: /events/<channel>?plain.');
  if (!isSingle)
    throw new BrokerError('invalid-query', 'plain is for a single channel: /events/<channel>?plain.');
  if (heartbeat !== undefined)
    throw new BrokerError(
      'invalid-query',
      'A plain stream has no heartbeat events. Remove plain or heartbeat=.',
    );
  return true;
}
