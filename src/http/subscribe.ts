import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
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
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './api/subscribe-operations.ts';
import { clientAddress } from './client-address.ts';
import { startPosition } from './start-position.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly onOpened: () => void;
  readonly onRefused: (reason: RefuseReason, address: string) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, subscribers } = options;

  /** 200, because a browser that gets any other status never tries again. */
  const refuse = (reply: FastifyReply, reason: RefuseReason, address: string): void => {
    options.onRefused(reason, address);
    void reply
      .headers(STREAM_HEADERS)
      .header('connection', 'close')
      .send(encodeRetry(connections.jitteredBackoff()));
  };

  app.head<SubscribeRoute>(
    '/events/:channel',
    { config: { operation: SUBSCRIBE_HEAD } },
    async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      await subscribers.of(request, [channel], clientAddress(request));
      startPosition(request.headers['last-event-id'], request.query, channel);
      return reply.headers(STREAM_HEADERS).send();
    },
  );

  app.get<SubscribeRoute>('/events/:channel', { config: { operation: SUBSCRIBE } }, (request, reply) => {
    const channel = parseChannelName(request.params.channel);
    const address = clientAddress(request);
    const access = subscribers.of(request, [channel], address);
    if (!(access instanceof Promise)) {
      stream(request, reply, channel, { access, address });
      return undefined;
    }
    return access.then(
      (granted) => stream(request, reply, channel, { access: granted, address }),
      (error: unknown) => {
        const reason = passingReason(error);
        if (reason === undefined) throw error;
        refuse(reply, reason, address);
      },
    );
  });

  const stream = (
    request: FastifyRequest<SubscribeRoute>,
    reply: FastifyReply,
    channel: ChannelName,
    { access, address }: { readonly access: Access; readonly address: string },
  ): void => {
    const holder: StreamHolder = { address, subject: access.subject };
    const start = startPosition(request.headers['last-event-id'], request.query, channel);
    const refusal = connections.refusal(holder);
    if (refusal !== undefined) {
      refuse(reply, refusal, address);
      return;
    }
    reply.hijack();
    const begin = (socket: Socket): void => {
      if (socket.destroyed) return;
      const connection = open(reply, socket, connections, access);
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
  };
}

/** Why the credentials of a subscriber cannot be judged now, where that will pass. */
function passingReason(error: unknown): RefuseReason | undefined {
  if (!(error instanceof BrokerError)) return undefined;
  if (error.code === 'keys-unavailable') return 'keys';
  return error.code === 'too-many-requests' ? 'failed-authentication' : undefined;
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
