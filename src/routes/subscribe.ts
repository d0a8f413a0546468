import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TokenAccess } from '../auth/access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { StreamRefusal } from '../events/close-reason.ts';
import { placeOf } from '../events/cursor.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { ChannelSetStream } from '../stream/channel-set-stream.ts';
import { ChannelSet, ChannelSets } from '../stream/channel-set.ts';
import { encodeClosing, encodeRetry } from '../stream/broker-events.ts';
import { STREAM_HEADERS } from '../stream/stream-head.ts';
import { SseConnection } from '../stream/sse-connection.ts';
import type { StreamChannels } from '../stream/sse-connection.ts';
import type { Operation } from '../http/api/operation.ts';
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './subscribe-operations.ts';
import { SUBSCRIBE_MANY, SUBSCRIBE_MANY_HEAD } from './subscribe-many-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import type { Wire } from '../stream/wire.ts';
import { unlessFinished, wantsOnlyActive } from './finished-stream.ts';
import { openWire } from './open-wire.ts';
import { startPositions } from './start-position.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe' | 'stateOf'>;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  /** The largest number of channels of one stream. */
  readonly maxChannels: number;
  /** More headers for every answer, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly onOpened: () => void;
  readonly onStreamRefused: (reason: StreamRefusal, address: string) => void;
}

interface SubscribeRoute {
  Params: { channel?: string };
  Querystring: Query;
}

type SubscribeRequest = FastifyRequest<SubscribeRoute>;

/** What the client requested. */
interface StreamRequest {
  readonly channels: readonly ChannelName[];
  /** One for each channel. */
  readonly starts: readonly Start[];
  readonly address: string;
  readonly heartbeatEvents: boolean;
  /** The client wants no stream of a channel that is empty or has ended. */
  readonly onlyActive: boolean;
}

/** Opens the subscriptions of a new stream on its wire. */
type Begin = (
  wire: Wire,
  requested: StreamRequest,
  access: TokenAccess | undefined,
  holder: StreamHolder,
) => SseConnection;

/** `GET` and `HEAD` of `/events/:channel` and `/events?channel=` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, maxChannels } = options;
  const sets = new ChannelSets();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(options.headers);
    done();
  });

  const connectionOf = (
    wire: Wire,
    channels: StreamChannels,
    { heartbeatEvents }: StreamRequest,
    access: TokenAccess | undefined,
  ): SseConnection =>
    new SseConnection(wire, connections, {
      expiry: connections.expiry(access?.expiresAt ?? Infinity),
      channels,
      holder: access,
      heartbeatEvents,
    });

  const beginOne: Begin = (wire, requested, access, holder) => {
    const channel = requested.channels[0] as ChannelName;
    const connection = connectionOf(wire, channel, requested, access);
    const subscription = hub.subscribe(channel, requested.starts[0] as Start, connection);
    connection.source = subscription;
    connections.add(connection, holder, () => hub.unsubscribe(channel, subscription));
    return connection;
  };

  const beginMany: Begin = (wire, requested, access, holder) => {
    const { channels, starts } = requested;
    const set = sets.acquire(channels);
    const connection = connectionOf(wire, set, requested, access);
    const startOf = new Map(channels.map((channel, index) => [channel, starts[index] as Start]));
    const stream = new ChannelSetStream({
      hub,
      loop: connections.loop,
      connection,
      set,
      starts: set.names.map((name) => startOf.get(name) as Start),
    });
    connection.source = stream;
    connections.add(connection, holder, () => {
      stream.end();
      sets.release(set);
    });
    return connection;
  };

  route(app, options, '/events/:channel', {
    operations: [SUBSCRIBE, SUBSCRIBE_HEAD],
    channelsOf: ({ params }) => [parseChannelName(params.channel ?? '')],
    cursorOf: ({ starts: [start] }) => (start?.from === 'id' ? start.id : undefined),
    begin: beginOne,
  });
  route(app, options, '/events', {
    operations: [SUBSCRIBE_MANY, SUBSCRIBE_MANY_HEAD],
    channelsOf: ({ query }) => channelsOf(query, maxChannels),
    cursorOf: ({ channels, starts }) => {
      const set = new ChannelSet('', channels);
      return set.cursor(set.positions(starts.map(placeOf)));
    },
    begin: beginMany,
  });
}

interface StreamRoute {
  /** Of `GET` and of `HEAD`. */
  readonly operations: readonly [Operation, Operation];
  /** @throws BrokerError `invalid-channel`, `invalid-query` */
  readonly channelsOf: (request: SubscribeRequest) => readonly ChannelName[];
  /** The cursor to come back with; undefined when there is none, or none that can be read. */
  readonly cursorOf: (requested: StreamRequest) => string | undefined;
  readonly begin: Begin;
}

function route(
  app: FastifyInstance,
  options: SubscribeOptions,
  path: string,
  { operations: [get, head], channelsOf: channelsOfRequest, cursorOf, begin }: StreamRoute,
): void {
  const { hub, connections, subscribers, revocations } = options;

  /** Answers with 200, because a browser that gets any other status never tries again. */
  const refuse = (
    request: SubscribeRequest,
    reply: FastifyReply,
    reason: StreamRefusal,
    requested: StreamRequest,
  ): void => {
    options.onStreamRefused(reason, requested.address);
    // HTTP/2 forbids this header, and the connection carries other streams.
    if (request.raw.httpVersionMajor === 1) reply.header('connection', 'close');
    const cursor = cursorOf(requested);
    void reply.headers(STREAM_HEADERS).send(encodeClosing(reason, connections.jitteredBackoff(), cursor));
  };

  app.head<SubscribeRoute>(path, { config: { operation: head } }, async (request, reply) => {
    const channels = channelsOfRequest(request);
    await subscribers.of(request, channels, clientAddress(request));
    const requested = readStreamRequest(request, channels);
    await unlessFinished(hub, requested, reply, () => void reply.headers(STREAM_HEADERS).send());
  });

  app.get<SubscribeRoute>(path, { config: { operation: get } }, (request, reply) => {
    const channels = channelsOfRequest(request);
    const open = (granted: TokenAccess | undefined): void | Promise<void> => {
      const requested = readStreamRequest(request, channels);
      return unlessFinished(hub, requested, reply, () => stream(request, reply, requested, granted));
    };
    const access = subscribers.of(request, channels, clientAddress(request));
    if (!(access instanceof Promise)) return open(access);
    return access.then(open, (error: unknown) => {
      const reason = temporaryReason(error);
      if (reason === undefined) throw error;
      refuse(request, reply, reason, readStreamRequest(request, channels));
    });
  });

  /** @param access undefined when the client needs no token and sent none */
  const stream = (
    request: SubscribeRequest,
    reply: FastifyReply,
    requested: StreamRequest,
    access: TokenAccess | undefined,
  ): void => {
    const holder: StreamHolder = { address: requested.address, subject: access?.subject };
    const refusal = connections.refusal(holder);
    if (refusal !== undefined) {
      refuse(request, reply, refusal, requested);
      return;
    }
    // Sends the head and the first bytes at once, before the log is read.
    openWire(reply, `${encodeRetry(connections.jitteredRetry())}:\n`, (wire) => {
      options.onOpened();
      const connection = begin(wire, requested, access, holder);
      // The token may have been revoked while the request waited behind others on the same connection.
      if (connection.hasChannel((channel) => revocations.refuses(access, channel)))
        connection.end('disconnected', connections.jitteredRetry());
      // Sends the corked bytes at the end of this turn of the event loop. For a channel that is already followed, its first
      // events leave in the same write.
      setImmediate(release, wire);
    });
  };
}

/** @throws BrokerError `invalid-query` */
function readStreamRequest(request: SubscribeRequest, channels: readonly ChannelName[]): StreamRequest {
  const { headers, query } = request;
  return {
    channels,
    starts: startPositions(headers['last-event-id'], query, channels),
    address: clientAddress(request),
    heartbeatEvents: wantsHeartbeatEvents(query),
    onlyActive: wantsOnlyActive(query, request.params.channel !== undefined),
  };
}

/**
 * Reads `channel=` of a stream with many channels.
 * @throws BrokerError `invalid-channel`, `invalid-query`
 */
function channelsOf({ channel }: Query, most: number): readonly ChannelName[] {
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

/** Returns why the broker cannot check the credential now, if the reason is temporary. */
function temporaryReason(error: unknown): StreamRefusal | undefined {
  if (!(error instanceof BrokerError)) return undefined;
  if (error.code === 'keys-unavailable') return 'keys';
  return error.code === 'too-many-requests' ? 'failed-authentication' : undefined;
}

function release(wire: Wire): void {
  wire.release();
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
