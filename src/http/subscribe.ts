import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import type { Revocations } from '../auth/revocations.ts';
import { matchesAny } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
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

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  /** Channels that anyone may subscribe to. */
  readonly publicChannels: readonly ChannelPattern[];
  /** What the request's token allows; undefined for a request without one. */
  readonly accessOf: (request: FastifyRequest) => Access | undefined;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly onOpened: () => void;
  readonly onRefused: (reason: RefuseReason) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** Who may have which stream. */
interface Admission {
  readonly channel: ChannelName;
  readonly access: Access | undefined;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, publicChannels, revocations } = options;

  const admit = (request: FastifyRequest<SubscribeRoute>): Admission => {
    const channel = parseChannelName(request.params.channel);
    const access = options.accessOf(request);
    if (revocations.refuses(access, channel))
      throw new BrokerError('unauthorized', 'This token was revoked: come back with a new one.');
    if (matchesAny(publicChannels, channel)) return { channel, access };
    throw new BrokerError(
      'unauthorized',
      'This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS.',
    );
  };

  app.head<SubscribeRoute>('/events/:channel', (request, reply) => {
    const { channel } = admit(request);
    startPosition(request.headers['last-event-id'], request.query, channel);
    return reply.headers(STREAM_HEADERS).send();
  });

  app.get<SubscribeRoute>('/events/:channel', (request, reply) => {
    const { channel, access } = admit(request);
    const start = startPosition(request.headers['last-event-id'], request.query, channel);
    const { refusal } = connections;
    if (refusal !== undefined) {
      options.onRefused(refusal);
      // 200, because a browser that gets any other status never tries again.
      void reply
        .headers(STREAM_HEADERS)
        .header('connection', 'close')
        .send(encodeRetry(connections.jitteredBackoff()));
      return;
    }
    reply.hijack();
    const begin = (socket: Socket): void => {
      if (socket.destroyed) return;
      if (revocations.refuses(access, channel)) {
        // Revoked while it waited for its turn on the connection.
        socket.destroy();
        return;
      }
      const connection = open(reply, socket, connections, { channel, access });
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
  });
}

function release(socket: Socket): void {
  socket.uncork();
}

/** Writes the head and the first bytes, before the log has been asked anything. */
function open(
  reply: FastifyReply,
  socket: Socket,
  connections: Connections,
  { channel, access }: Admission,
): SseConnection {
  const { raw } = reply;
  // Hijacking skips the hooks that would write what plugins have set, CORS above all.
  const head = streamHead(reply.getHeaders());
  detachSocket(socket, raw);
  socket.cork();
  socket.write(`${head}${encodeRetry(connections.jitteredRetry())}:\n`);
  socket.setTimeout(0);
  return new SseConnection(socket, connections.pulse, {
    maxAge: connections.jitteredAge(),
    channel,
    holder: access,
  });
}
