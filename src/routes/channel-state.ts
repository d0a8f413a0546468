import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { Hub } from '../delivery/hub.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { clientAddress } from '../http/client-address.ts';
import { eventJson } from '../stream/event-json.ts';
import { READ_STATE } from './channel-state-operation.ts';
import type { PageRoom } from './page-room.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

/** In characters. The events are encoded in parts of about this length, because a long text takes some ms to become bytes. */
const PART_LENGTH = 64 * 1024;

export interface ChannelStateOptions {
  readonly hub: Pick<Hub, 'readState'>;
  readonly loop: Pick<FairLoop, 'add' | 'inTurn'>;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly room: PageRoom;
}

/** `GET` and `HEAD` of `/channels/:channel/state` (docs/protocol.md §3). */
export async function channelStateRoute(
  app: FastifyInstance,
  { hub, loop, subscribers, room }: ChannelStateOptions,
): Promise<void> {
  const reads = new SharedReads(async (channel) => {
    // In a turn of its own, because the log in memory reads a large state for some ms.
    const { events, tail, ended, next } = await loop.inTurn(() => hub.readState(channel));
    if (next !== undefined)
      throw new BrokerError(
        'state-too-large',
        `The state of ${channel} has more than 2 MiB. Read it with /events/${channel}?state.`,
      );
    const list = await listOf(events, loop);
    const head = Buffer.from(`{"channel":"${channel}","events":[`);
    const rest = Buffer.from(`],"position":"${tail}","ended":${ended}}`);
    return { tail, body: Buffer.concat([head, ...list, rest]) };
  });
  const readState = async (channel: ChannelName, reply: FastifyReply): Promise<Buffer> => {
    const { tail, body } = await reads.read(channel);
    reply.headers({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'sluice-position': tail,
    });
    return body;
  };
  app.get<{ Params: { channel: string }; Querystring: Query }>(
    '/channels/:channel/state',
    { exposeHeadRoute: true, config: { operation: READ_STATE } },
    async (request, reply) => {
      const channel = parseChannelName(request.params.channel);
      await subscribers.of(request, [channel], clientAddress(request));
      return reply.send(await room.take(reply, () => readState(channel, reply)));
    },
  );
}

interface StateAnswer {
  readonly tail: EventId;
  readonly body: Buffer;
}

/**
 * Reads states for many requests. Requests that come while the state of their channel is being read share the next read, so each
 * gets a state that was read after it came. A large state takes tens of ms to read and to encode.
 */
class SharedReads {
  readonly #read: (channel: ChannelName) => Promise<StateAnswer>;
  readonly #running = new Map<ChannelName, Promise<StateAnswer>>();
  /** The reads that begin when the running ones are done. */
  readonly #next = new Map<ChannelName, Promise<StateAnswer>>();

  constructor(read: (channel: ChannelName) => Promise<StateAnswer>) {
    this.#read = read;
  }

  read(channel: ChannelName): Promise<StateAnswer> {
    const running = this.#running.get(channel);
    if (running === undefined) return this.#begin(channel);
    const known = this.#next.get(channel);
    if (known !== undefined) return known;
    const begin = (): Promise<StateAnswer> => this.#begin(channel);
    const next = running.then(begin, begin);
    this.#next.set(channel, next);
    return next;
  }

  #begin(channel: ChannelName): Promise<StateAnswer> {
    this.#next.delete(channel);
    const read = this.#read(channel).finally(() => {
      if (!this.#next.has(channel)) this.#running.delete(channel);
    });
    this.#running.set(channel, read);
    return read;
  }
}

/** Encodes the events with commas between them, in slices of the loop. */
function listOf(events: readonly StoredEvent[], loop: Pick<FairLoop, 'add'>): Promise<readonly Buffer[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Buffer[]>();
  const left = events.values();
  const parts: Buffer[] = [];
  let separator = '';
  loop.add({
    run: (until) => {
      try {
        let text = '';
        for (const event of left) {
          text += separator + eventJson(event);
          separator = ',';
          if (text.length < PART_LENGTH) continue;
          parts.push(Buffer.from(text));
          text = '';
          if (performance.now() >= until) return true;
        }
        resolve([...parts, Buffer.from(text)]);
      } catch (error) {
        reject(error);
      }
      return false;
    },
  });
  return promise;
}
