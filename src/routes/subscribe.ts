import type { FastifyInstance, FastifyReply } from 'fastify';
import type { TokenAccess } from '../auth/access.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { StreamRefusal } from '../events/close-reason.ts';
import { placeOf } from '../events/cursor.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { ChannelSet } from '../stream/channel-set.ts';
import { encodeClosing } from '../stream/broker-events.ts';
import { STREAM_HEADERS } from '../stream/stream-head.ts';
import type { Operation } from '../http/api/operation.ts';
import { SUBSCRIBE, SUBSCRIBE_HEAD } from './subscribe-operations.ts';
import { SUBSCRIBE_MANY, SUBSCRIBE_MANY_HEAD } from './subscribe-many-operations.ts';
import { clientAddress } from '../http/client-address.ts';
import { unlessFinished } from './finished-stream.ts';
import { openWire } from './open-wire.ts';
import { unlessGone } from './plain-stream.ts';
import { refusalProblem, temporaryReason } from './stream-refusal.ts';
import type { Begin, StreamOpener } from './stream-opener.ts';
import { channelsOf, readStreamRequest } from './stream-request.ts';
import type { StreamRequest, SubscribeRequest, SubscribeRoute } from './stream-request.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface SubscribeOptions {
  readonly hub: Pick<Hub, 'stateOf' | 'firstOf'>;
  readonly opener: StreamOpener;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  /** The largest number of channels of one stream. */
  readonly maxChannels: number;
  readonly onStreamRefused: (reason: StreamRefusal, address: string) => void;
}

/** `GET` and `HEAD` of `/events/:channel` and `/events?channel=` (docs/protocol.md §3). */
export async function subscribeRoutes(app: FastifyInstance, options: SubscribeOptions): Promise<void> {
  const { opener, maxChannels } = options;
  route(app, options, '/events/:channel', {
    isSingle: true,
    operations: [SUBSCRIBE, SUBSCRIBE_HEAD],
    channelsOf: ({ params }) => [parseChannelName(params.channel ?? '')],
    cursorOf: ({ starts: [start] }) => (start?.from === 'id' ? start.id : undefined),
    begin: opener.one,
  });
  route(app, options, '/events', {
    isSingle: false,
    operations: [SUBSCRIBE_MANY, SUBSCRIBE_MANY_HEAD],
    channelsOf: ({ query }) => channelsOf(query, maxChannels),
    cursorOf: ({ channels, starts }) => {
      const set = new ChannelSet('', channels);
      return set.cursor(set.positions(starts.map(placeOf)));
    },
    begin: opener.many,
  });
}

interface StreamRoute {
  readonly isSingle: boolean;
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
  { isSingle, operations: [get, head], channelsOf: channelsOfRequest, cursorOf, begin }: StreamRoute,
): void {
  const { hub, opener, connections, subscribers } = options;

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
    const address = clientAddress(request);
    await subscribers.of(request, channels, address);
    const requested = readStreamRequest(request, channels, address, isSingle);
    const answer = (): void => void reply.headers(STREAM_HEADERS).send();
    await unlessFinished(hub, requested, reply, () => unlessGone(hub, requested, answer));
  });

  app.get<SubscribeRoute>(path, { config: { operation: get } }, (request, reply) => {
    const channels = channelsOfRequest(request);
    const address = clientAddress(request);
    const open = (granted: TokenAccess | undefined): void | Promise<void> => {
      const requested = readStreamRequest(request, channels, address, isSingle);
      const begun = (): void => stream(request, reply, requested, granted);
      return unlessFinished(hub, requested, reply, () => unlessGone(hub, requested, begun));
    };
    const access = subscribers.of(request, channels, address);
    if (!(access instanceof Promise)) return open(access);
    return access.then(open, (error: unknown) => {
      const reason = temporaryReason(error);
      if (reason === undefined) throw error;
      refuse(request, reply, reason, readStreamRequest(request, channels, address, isSingle));
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
    openWire(reply, opener.first(), (wire) => begin(wire, requested, { access, holder }));
  };
}
