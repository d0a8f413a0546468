import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { parseChannelName } from '../core/channel-name.ts';
import type { ChannelName } from '../core/channel-name.ts';
import type { RefuseReason } from '../core/close-reason.ts';
import { BrokerError } from '../core/errors.ts';
import type { Hub } from '../core/hub.ts';
import type { Connections } from '../sse/connections.ts';
import { detachSocket } from '../sse/detach-socket.ts';
import { encodeRetry } from '../sse/frame.ts';
import { STREAM_HEADERS, streamHead } from '../sse/stream-head.ts';
import { SseConnection } from '../sse/sse-connection.ts';
import { startPosition } from './start-position.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly onOpened: () => void;
  readonly onRefused: (reason: RefuseReason) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, subscribers } = options;

  /** 200, because a browser that gets any other status never tries again. */
  const refuse = (reply: FastifyReply, reason: RefuseReason): void => {
    options.onRefused(reason);
    void reply
      .headers(STREAM_HEADERS)
      .header('connection', 'close')
      .send(encodeRetry(connections.jitteredBackoff()));
  };

  app.head<SubscribeRoute>('/events/:channel', async (request, reply) => {
    const channel = parseChannelName(request.params.channel);
    await subscribers.of(request, [channel]);
    startPosition(request.headers['last-event-id'], request.query, channel);
    return reply.headers(STREAM_HEADERS).send();
  });

  app.get<SubscribeRoute>('/events/:channel', (request, reply) => {
    const channel = parseChannelName(request.params.channel);
    const access = subscribers.of(request, [channel]);
    if (!(access instanceof Promise)) {
      stream(request, reply, channel, access);
      return undefined;
    }
    return access.then(
      (granted) => stream(request, reply, channel, granted),
      (error: unknown) => {
        if (!(error instanceof BrokerError) || error.code !== 'keys-unavailable') throw error;
        refuse(reply, 'keys');
      },
    );
  });

  const stream = (
    request: FastifyRequest<SubscribeRoute>,
    reply: FastifyReply,
    channel: ChannelName,
    access: Access,
  ): void => {
    const start = startPosition(request.headers['last-event-id'], request.query, channel);
    const { refusal } = connections;
    if (refusal !== undefined) {
      refuse(reply, refusal);
      return;
    }
    reply.hijack();
    const begin = (socket: Socket): void => {
      if (socket.destroyed) return;
      const connection = open(reply, socket, connections, access);
      options.onOpened();
      const subscription = hub.subscribe(channel, start, connection);
      connection.onWritable = () => subscription.resume();
      connections.add(connection, () => hub.unsubscribe(channel, subscription));
      // In this turn of the event loop still, with or without a log; where the channel is known already, what it has to
      // say first leaves in the same write.
      setImmediate(release, socket);
    };
    const { socket } = reply.raw;
    // Behind another request on the same connection it is given the socket once that one has been answered.
    if (socket === null) reply.raw.once('socket', begin);
    else begin(socket);
  };
}

function release(socket: Socket): void {
  socket.uncork();
}

/** Writes the head and the first bytes, before the log has been asked anything. */
function open(reply: FastifyReply, socket: Socket, connections: Connections, access: Access): SseConnection {
  const { raw } = reply;
  // Hijacking skips the hooks that would write what plugins have set, CORS above all.
  const head = streamHead(reply.getHeaders());
  detachSocket(socket, raw);
  socket.cork();
  socket.write(`${head}${encodeRetry(connections.jitteredRetry())}:\n`);
  socket.setTimeout(0);
  return new SseConnection(socket, connections.pulse, connections.expiry(access.expiresAt));
}
