import type { FastifyInstance, FastifyRequest } from 'fastify';
import { matchesAny } from '../core/channel-pattern.ts';
import type { ChannelPattern } from '../core/channel-pattern.ts';
import { parseChannelName } from '../core/channel-name.ts';
import type { ChannelName } from '../core/channel-name.ts';
import type { RefuseReason } from '../core/close-reason.ts';
import { BrokerError } from '../core/errors.ts';
import type { Hub } from '../core/hub.ts';
import type { Connections } from '../sse/connections.ts';
import { encodeRetry } from '../sse/frame.ts';
import { STREAM_HEADERS } from '../sse/stream-head.ts';
import { SseConnection } from '../sse/sse-connection.ts';
import type { Wire } from '../sse/wire.ts';
import { openWire } from './open-wire.ts';
import { startPosition } from './start-position.ts';
import type { Query } from './start-position.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe'>;
  readonly connections: Connections;
  /** Channels that anyone may subscribe to. */
  readonly publicChannels: readonly ChannelPattern[];
  readonly onOpened: () => void;
  readonly onRefused: (reason: RefuseReason) => void;
}

interface SubscribeRoute {
  Params: { channel: string };
  Querystring: Query;
}

/** `GET` and `HEAD /events/:channel` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { hub, connections, publicChannels } = options;

  const allowedChannel = (request: FastifyRequest<SubscribeRoute>): ChannelName => {
    const channel = parseChannelName(request.params.channel);
    if (matchesAny(publicChannels, channel)) return channel;
    throw new BrokerError(
      'unauthorized',
      'This channel is not public: it is not among SLUICE_PUBLIC_CHANNELS.',
    );
  };

  app.head<SubscribeRoute>('/events/:channel', (request, reply) => {
    const channel = allowedChannel(request);
    startPosition(request.headers['last-event-id'], request.query, channel);
    return reply.headers(STREAM_HEADERS).send();
  });

  app.get<SubscribeRoute>('/events/:channel', (request, reply) => {
    const channel = allowedChannel(request);
    const start = startPosition(request.headers['last-event-id'], request.query, channel);
    const { refusal } = connections;
    if (refusal !== undefined) {
      options.onRefused(refusal);
      // 200, because a browser that gets any other status never tries again.
      // Over HTTP/2 the connection has other streams, and no such header.
      if (request.raw.httpVersionMajor === 1) reply.header('connection', 'close');
      void reply.headers(STREAM_HEADERS).send(encodeRetry(connections.jitteredBackoff()));
      return;
    }
    // The head and the first bytes, before the log has been asked anything.
    openWire(reply, `${encodeRetry(connections.jitteredRetry())}:\n`, (wire) => {
      const connection = new SseConnection(wire, connections.pulse, connections.jitteredAge());
      options.onOpened();
      const subscription = hub.subscribe(channel, start, connection);
      connection.onWritable = () => subscription.resume();
      connections.add(connection, () => hub.unsubscribe(channel, subscription));
      // In this turn of the event loop still, with or without a log; where the channel is known already, what it has to
      // say first leaves in the same write.
      setImmediate(release, wire);
    });
  });
}

function release(wire: Wire): void {
  wire.release();
}
