import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TokenAccess } from '../auth/access.ts';
import type { HistoryReader } from '../delivery/history-reader.ts';
import type { Hub } from '../delivery/hub.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { StreamRefusal } from '../events/close-reason.ts';
import type { EventId } from '../events/event.ts';
import { BrokerError } from '../events/errors.ts';
import { clientAddress } from '../http/client-address.ts';
import { problemAnswer } from '../http/problem.ts';
import { SECURITY_HEADERS } from '../http/security-headers.ts';
import type { Revocations } from '../replicas/revocations.ts';
import type { Connections, StreamHolder } from '../stream/connections.ts';
import { EventPage } from '../stream/event-page.ts';
import type { PageEnd } from '../stream/event-page.ts';
import { LongPoll } from '../stream/long-poll.ts';
import type { PollReply } from '../stream/long-poll.ts';
import { READ_EVENTS } from './channel-events-operation.ts';
import { HeldReply } from './held-reply.ts';
import type { PageRoom } from './page-room.ts';
import { readPageQuery } from './page-query.ts';
import type { PageQuery } from './page-query.ts';
import type { Query } from './start-position.ts';
import { refusalProblem } from './stream-refusal.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface ChannelEventsOptions {
  readonly hub: Pick<Hub, 'subscribe' | 'unsubscribe' | 'knownStateOf'>;
  readonly history: Pick<HistoryReader, 'read'>;
  readonly connections: Connections;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly revocations: Pick<Revocations, 'refuses'>;
  readonly room: PageRoom;
  /** A client that takes nothing of its answer for this many ms is cut off. */
  readonly stallTimeout: number;
  readonly onOpened: () => void;
  readonly onRefused: (reason: StreamRefusal, address: string) => void;
}

interface Route {
  Params: { channel: string };
  Querystring: Query;
}

/** What the client requested, and with which token. */
interface PageRequest extends PageQuery {
  readonly channel: ChannelName;
  /** Undefined when no token was needed. */
  readonly access: TokenAccess | undefined;
}

/** `GET` and `HEAD` of `/channels/:channel/events` (docs/protocol.md §4). */
export async function channelEventsRoute(app: FastifyInstance, options: ChannelEventsOptions): Promise<void> {
  const { connections, subscribers, history, room } = options;
  app.get<Route>(
    '/channels/:channel/events',
    { exposeHeadRoute: true, config: { operation: READ_EVENTS } },
    async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      const address = clientAddress(request);
      const access = await subscribers.of(request, [channel], address);
      const requested = { ...readPageQuery(request.headers, request.query, channel), channel, access };
      if (requested.wait === 0 || request.method === 'HEAD')
        return reply.send(await room.take(reply, () => readPage(history, request, reply, requested)));
      const holder = { address, subject: access?.subject };
      const refusal = connections.refusal(holder);
      if (refusal !== undefined) {
        options.onRefused(refusal, address);
        throw refusalProblem(refusal, connections.jitteredBackoff());
      }
      inTurn(reply, () => beginPoll(new HeldReply(reply, options.stallTimeout), options, requested, holder));
      return undefined;
    },
  );
}

/** Reads the page, and sets the head of its answer. Undefined when the client has the page already. */
async function readPage(
  history: Pick<HistoryReader, 'read'>,
  request: FastifyRequest,
  reply: FastifyReply,
  { channel, access, start, limit }: PageRequest,
): Promise<Buffer | undefined> {
  const page = new EventPage(limit);
  const end = await history.read(channel, start, limit, (run) => page.add(run));
  reply.headers(headersOf(end));
  // Only such a page is the same whenever it is asked for.
  if (end.more && end.complete && start.from === 'id') {
    const tag = `"${end.next}+${page.count}"`;
    reply
      .header('etag', tag)
      .header('cache-control', `${access === undefined ? 'public' : 'private'}, max-age=60`);
    reply.header('vary', variedBy(reply, access));
    if (matches(request.headers['if-none-match'], tag)) {
      reply.code(304).removeHeader('content-type');
      return undefined;
    }
  }
  return Buffer.concat(
    page.body(channel, end).map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
  );
}

/** Adds the request headers that decide on a page to those that the answer already names. */
function variedBy(reply: FastifyReply, access: TokenAccess | undefined): string {
  const named = [reply.getHeader('vary') ?? []].flat().map(String);
  const credentials = access === undefined ? [] : ['Authorization', 'Cookie'];
  return [...named, ...credentials, 'Last-Event-ID'].join(', ');
}

function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  return (ifNoneMatch ?? '').split(',').some((one) => ['*', tag, `W/${tag}`].includes(one.trim()));
}

function headersOf({ next }: { readonly next: EventId }): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'sluice-position': next,
  };
}

/**
 * Calls `begin` once the earlier requests of the connection are answered. Behind a poll that is held, or a stream, that is never:
 * their connection ends with them, and nothing would say that the client has left.
 */
function inTurn(reply: FastifyReply, begin: () => void): void {
  reply.hijack();
  if (reply.raw.socket === null) reply.raw.once('socket', begin);
  else begin();
}

/** Nothing here may keep the request or its response: a held reply lets go of them. */
function beginPoll(
  held: HeldReply,
  { hub, connections, revocations, onOpened }: ChannelEventsOptions,
  { channel, access, start, limit, wait }: PageRequest,
  holder: StreamHolder,
): void {
  if (held.isOver) return;
  onOpened();
  const isEnd = (position: EventId): boolean => {
    const state = hub.knownStateOf(channel);
    return state?.status === 'ended' && state.tail === position;
  };
  const expiry = connections.expiry(access?.expiresAt ?? Infinity);
  const options = { expiry, channel, holder: access, limit, wait, isEnd };
  const poll = new LongPoll(replyOf(held, channel), connections, options);
  held.onLeft = () => poll.leave();
  const subscription = hub.subscribe(channel, start, poll);
  poll.source = subscription;
  connections.add(poll, holder, () => hub.unsubscribe(channel, subscription));
  // The token may have been revoked while the request waited behind others on the same connection.
  if (revocations.refuses(access, channel)) poll.end('disconnected');
}

const UNREAD = new BrokerError(
  'log-unavailable',
  'The log could not be read in the time of the request. Try again.',
);

function replyOf(held: HeldReply, channel: ChannelName): PollReply {
  return {
    hold: () => held.hold(),
    answer: (page: EventPage, end: PageEnd | undefined) => {
      if (end === undefined) {
        const { status, headers, body } = problemAnswer(UNREAD);
        held.answer(status, headers, [body]);
        return;
      }
      const body = page.body(channel, end);
      const length = body.reduce((sum, part) => sum + part.length, 0);
      held.answer(200, { ...SECURITY_HEADERS, ...headersOf(end), 'content-length': length }, body);
    },
    cut: () => held.cut(),
  };
}
