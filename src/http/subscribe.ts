import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { bearerToken } from '../auth/bearer.ts';
import type { FailedAttempts } from '../auth/failed-attempts.ts';
import { matchesAny } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
import { parseChannelName } from '../core/channel-name.ts';
import type { ChannelName } from '../core/channel-name.ts';
import type { RefuseReason } from '../core/close-reason.ts';
import { BrokerError } from '../core/errors.ts';
import type { Hub } from '../core/hub.ts';
import type { Connections, StreamHolder } from '../sse/connections.ts';
import { detachSocket } from '../sse/detach-socket.ts';
import { encodeRetry } from '../sse/frame.ts';
import { STREAM_HEADERS, streamHead } from '../sse/stream-head.ts';
import { SseConnection } from '../sse/sse-connection.ts';
import { clientAddress } from './client-address.ts';
import { startPosition } from './start-position.ts';
import type { Query } from './start-position.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  /** Channels that anyone may subscribe to. */
  readonly publicChannels: readonly ChannelPattern[];
  readonly attempts: FailedAttempts;
  readonly onFailedAuthentication: () => void;
  readonly onOpened: () => void;
  readonly onRefused: (reason: RefuseReason, address: string) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, publicChannels, attempts } = options;

  /** Undefined for a wrong credential from an address that has sent too many: that will pass. */
  const allowedChannel = (request: FastifyRequest<SubscribeRoute>): ChannelName | undefined => {
    const channel = parseChannelName(request.params.channel);
    if (matchesAny(publicChannels, channel)) return channel;
    if (bearerToken(request.headers.authorization) !== undefined) {
      const address = clientAddress(request);
      options.onFailedAuthentication();
      if (attempts.blocked(address)) return undefined;
      attempts.failed(address);
    }
    throw new BrokerError(
      'unauthorized',
      'This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS.',
    );
  };

  const askToComeBack = (reply: FastifyReply, reason: RefuseReason, { address }: StreamHolder): void => {
    options.onRefused(reason, address);
    // 200, because a browser that gets any other status never tries again.
    void reply
      .headers(STREAM_HEADERS)
      .header('connection', 'close')
      .send(encodeRetry(connections.jitteredBackoff()));
  };

  app.head<SubscribeRoute>('/events/:channel', (request, reply) => {
    const channel = allowedChannel(request);
    if (channel !== undefined) startPosition(request.headers['last-event-id'], request.query, channel);
    return reply.headers(STREAM_HEADERS).send();
  });

  app.get<SubscribeRoute>('/events/:channel', (request, reply) => {
    const channel = allowedChannel(request);
    const holder: StreamHolder = { address: clientAddress(request), subject: undefined };
    if (channel === undefined) {
      askToComeBack(reply, 'failed-authentication', holder);
      return;
    }
    const start = startPosition(request.headers['last-event-id'], request.query, channel);
    const refusal = connections.refusal(holder);
    if (refusal !== undefined) {
      askToComeBack(reply, refusal, holder);
      return;
    }
    reply.hijack();
    const begin = (socket: Socket): void => {
      if (socket.destroyed) return;
      const connection = open(reply, socket, connections);
      options.onOpened();
      const subscription = hub.subscribe(channel, start, connection);
      connection.onWritable = () => subscription.resume();
      connections.add(connection, holder, () => hub.unsubscribe(channel, subscription));
      // In this turn of the event loop still, with or without a log; where the channel is known already, what it has to
      // say first leaves in the same write.
      setImmediate(release, socket);
    };
    const { socket } = reply.raw;
    // Behind another request on the same connection it is given the socket once that one has been answered.
    if (socket === null) reply.raw.once('socket', begin);
    else begin(socket);
  });
}

function release(socket: Socket): void {
  socket.uncork();
}

/** Writes the head and the first bytes, before the log has been asked anything. */
function open(reply: FastifyReply, socket: Socket, connections: Connections): SseConnection {
  const { raw } = reply;
  // Hijacking skips the hooks that would write what plugins have set, CORS above all.
  const head = streamHead(reply.getHeaders());
  detachSocket(socket, raw);
  socket.cork();
  socket.write(`${head}${encodeRetry(connections.jitteredRetry())}:\n`);
  socket.setTimeout(0);
  return new SseConnection(socket, connections.pulse, connections.jitteredAge());
}
