import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TokenAccess } from '../auth/access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { StreamRefusal } from '../events/close-reason.ts';
import { placeOf } from '../events/cursor.ts';
import type { Start } from '../events/cursor.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Compression } from '../stream/compression.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { ChannelSetStream } from '../stream/channel-set-stream.ts';
import { ChannelSet, ChannelSets } from '../stream/channel-set.ts';
import type { GzipBody } from '../stream/gzip-body.ts';
import { encodeClosing, encodeRetry } from '../stream/broker-events.ts';
import { STREAM_HEADERS } from '../stream/stream-head.ts';
import { PlainConnection } from '../stream/plain-connection.ts';
import { PollConnection } from '../stream/poll-connection.ts';
import { SseConnection } from '../stream/sse-connection.ts';
import type { StreamChannels } from '../stream/stream-context.ts';
import type { Operation } from '../http/api/operation.ts';
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './subscribe-operations.ts';
import { SUBSCRIBE_MANY, SUBSCRIBE_MANY_HEAD } from './subscribe-many-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import type { Wire } from '../stream/wire.ts';
import { codedBody } from './coded-body.ts';
import { unlessFinished } from './finished-stream.ts';
import { openWire } from './open-wire.ts';
import { unlessGone } from './plain-stream.ts';
import { refusalProblem, temporaryReason } from './stream-refusal.ts';
import { channelsOf, readStreamRequest } from './stream-request.ts';
import type { StreamRequest, SubscribeRequest, SubscribeRoute } from './stream-request.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe' | 'stateOf' | 'firstOf'>;
  readonly connections: Connections;
  /** Undefined when no stream is to be compressed. */
  readonly compression: Compression | undefined;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  /** The largest number of channels of one stream. */
  readonly maxChannels: number;
  readonly onOpened: () => void;
  readonly onStreamRefused: (reason: StreamRefusal, address: string) => void;
}

/** Opens the subscriptions of a new stream on its wire. */
type Begin = (
  wire: Wire,
  requested: StreamRequest,
  access: TokenAccess | undefined,
  holder: StreamHolder,
  gzip: GzipBody | undefined,
) => SseConnection;

/** `GET` and `HEAD` of `/events/:channel` and `/events?channel=` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, compression, maxChannels } = options;
  const sets = new ChannelSets();

  const connectionOf = (
    wire: Wire,
    channels: StreamChannels,
    { heartbeatEvents, heartbeatMs, plain, wait, starts: [start] }: StreamRequest,
    access: TokenAccess | undefined,
    gzip: GzipBody | undefined,
  ): SseConnection => {
    const expiry = connections.expiry(access?.expiresAt ?? Infinity);
    const own = { expiry, channels, holder: access, heartbeatEvents, heartbeatMs, gzip };
    if (plain) return new PlainConnection(wire, connections, own, start?.from === 'id');
    return wait === undefined
      ? new SseConnection(wire, connections, own)
      : new PollConnection(wire, connections, own, wait);
  };

  const beginOne: Begin = (wire, requested, access, holder, gzip) => {
    const channel = requested.channels[0] as ChannelName;
    if (gzip !== undefined) compression?.join(channel, gzip);
    const connection = connectionOf(wire, channel, requested, access, gzip);
    const subscription = hub.subscribe(channel, requested.starts[0] as Start, connection);
    connection.source = subscription;
    connections.add(connection, holder, () => {
      hub.unsubscribe(channel, subscription);
      if (gzip !== undefined) compression?.leave(channel);
    });
    return connection;
  };

  const beginMany: Begin = (wire, requested, access, holder, gzip) => {
    const { channels, starts } = requested;
    const set = sets.acquire(channels);
    if (gzip !== undefined) gzip.audience = set;
    const connection = connectionOf(wire, set, requested, access, gzip);
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
  const { hub, connections, compression, subscribers, revocations } = options;

  /**
   * Answers with 200, because a browser that gets any other status never tries again.
   * @throws BrokerError for a plain stream, which has no event that says why
   */
  const refuse = (
    request: SubscribeRequest,
    reply: FastifyReply,
    reason: StreamRefusal,
    requested: StreamRequest,
  ): void => {
    options.onStreamRefused(reason, requested.address);
    if (requested.plain) throw refusalProblem(reason, connections.jitteredBackoff());
    // HTTP/2 forbids this header, and the connection carries other streams.
    if (request.raw.httpVersionMajor === 1) reply.header('connection', 'close');
    const cursor = cursorOf(requested);
    void reply.headers(STREAM_HEADERS).send(encodeClosing(reason, connections.jitteredBackoff(), cursor));
  };

  app.head<SubscribeRoute>(path, { config: { operation: head } }, async (request, reply) => {
    const channels = channelsOfRequest(request);
    await subscribers.of(request, channels, clientAddress(request));
    const requested = readStreamRequest(request, channels);
    const answer = (): void => answerHead(compression, request, reply);
    await unlessFinished(hub, requested, reply, () => unlessGone(hub, requested, answer));
  });

  app.get<SubscribeRoute>(path, { config: { operation: get } }, (request, reply) => {
    const channels = channelsOfRequest(request);
    const open = (granted: TokenAccess | undefined): void | Promise<void> => {
      const requested = readStreamRequest(request, channels);
      const begun = (): void => stream(request, reply, requested, granted);
      return unlessFinished(hub, requested, reply, () => unlessGone(hub, requested, begun));
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
    const gzip = codedBody(compression, request, reply);
    const first = `${encodeRetry(connections.jitteredRetry())}:\n`;
    openWire(reply, gzip?.begin(first) ?? first, (wire) => {
      options.onOpened();
      const connection = begin(wire, requested, access, holder, gzip);
      // The token may have been revoked while the request waited behind others on the same connection.
      if (connection.hasChannel((channel) => revocations.refuses(access, channel)))
        connection.end('disconnected', connections.jitteredRetry());
      // Sends the corked bytes at the end of this turn of the event loop. For a channel that is already followed, its first
      // events leave in the same write.
      setImmediate(release, wire);
    });
  };
}

function answerHead(
  compression: Compression | undefined,
  request: SubscribeRequest,
  reply: FastifyReply,
): void {
  codedBody(compression, request, reply);
  void reply.headers(STREAM_HEADERS).send();
}

function release(wire: Wire): void {
  wire.release();
}
