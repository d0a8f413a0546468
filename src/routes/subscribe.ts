import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TokenAccess } from '../auth/access.ts';
import type { Revocations } from '../replicas/revocations.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { StreamRefusal } from '../events/close-reason.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { encodeClosing, encodeRetry } from '../stream/broker-events.ts';
import { STREAM_HEADERS } from '../stream/stream-head.ts';
import { SseConnection } from '../stream/sse-connection.ts';
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './subscribe-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import type { Wire } from '../stream/wire.ts';
import { openWire } from './open-wire.ts';
import { startPosition } from './start-position.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly onOpened: () => void;
  readonly onStreamRefused: (reason: StreamRefusal, address: string) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** What the client requested. */
interface StreamRequest {
  readonly channel: ChannelName;
  readonly address: string;
  readonly start: Start;
  readonly heartbeatEvents: boolean;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, subscribers, revocations } = options;

  /** Answers with 200, because a browser that gets any other status never tries again. */
  const refuse = (
    request: FastifyRequest<SubscribeRoute>,
    reply: FastifyReply,
    reason: StreamRefusal,
    { address, start }: StreamRequest,
  ): void => {
    options.onStreamRefused(reason, address);
    // HTTP/2 forbids this header, and the connection carries other streams.
    if (request.raw.httpVersionMajor === 1) reply.header('connection', 'close');
    const cursor = start.from === 'id' ? start.id : undefined;
    void reply.headers(STREAM_HEADERS).send(encodeClosing(reason, connections.jitteredBackoff(), cursor));
  };

  app.head<SubscribeRoute>(
    '/events/:channel',
    { config: { operation: SUBSCRIBE_HEAD } },
    async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      await subscribers.of(request, [channel], clientAddress(request));
      readStreamRequest(request, channel);
      return reply.headers(STREAM_HEADERS).send();
    },
  );

  app.get<SubscribeRoute>('/events/:channel', { config: { operation: SUBSCRIBE } }, (request, reply) => {
    const channel = parseChannelName(request.params.channel);
    const access = subscribers.of(request, [channel], clientAddress(request));
    if (!(access instanceof Promise)) {
      stream(request, reply, readStreamRequest(request, channel), access);
      return undefined;
    }
    return access.then(
      (granted) => stream(request, reply, readStreamRequest(request, channel), granted),
      (error: unknown) => {
        const reason = temporaryReason(error);
        if (reason === undefined) throw error;
        refuse(request, reply, reason, readStreamRequest(request, channel));
      },
    );
  });

  /** @param access undefined when the client needs no token and sent none */
  const stream = (
    request: FastifyRequest<SubscribeRoute>,
    reply: FastifyReply,
    requested: StreamRequest,
    access: TokenAccess | undefined,
  ): void => {
    const { channel, address, start, heartbeatEvents } = requested;
    const holder: StreamHolder = { address, subject: access?.subject };
    const refusal = connections.refusal(holder);
    if (refusal !== undefined) {
      refuse(request, reply, refusal, requested);
      return;
    }
    // Sends the head and the first bytes at once, before the log is read.
    openWire(reply, `${encodeRetry(connections.jitteredRetry())}:\n`, (wire) => {
      const connection = new SseConnection(wire, connections, {
        expiry: connections.expiry(access?.expiresAt ?? Infinity),
        channel,
        holder: access,
        heartbeatEvents,
      });
      options.onOpened();
      const subscription = hub.subscribe(channel, start, connection);
      connection.source = subscription;
      connections.add(connection, holder, () => hub.unsubscribe(channel, subscription));
      // The token may have been revoked while the request waited behind others on the same connection.
      if (revocations.refuses(access, channel)) connection.end('disconnected', connections.jitteredRetry());
      // Sends the corked bytes at the end of this turn of the event loop. For a channel that is already followed, its first
      // events leave in the same write.
      setImmediate(release, wire);
    });
  };
}

/** @throws BrokerError `invalid-query` */
function readStreamRequest(request: FastifyRequest<SubscribeRoute>, channel: ChannelName): StreamRequest {
  const { headers, query } = request;
  return {
    channel,
    address: clientAddress(request),
    start: startPosition(headers['last-event-id'], query, channel),
    heartbeatEvents: wantsHeartbeatEvents(query),
  };
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
