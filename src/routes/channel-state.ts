import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { Hub } from '../delivery/hub.ts';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import type { StoredEvent } from '../events/event.ts';
import { clientAddress } from '../http/client-address.ts';
import { eventJson } from '../stream/event-json.ts';
import { READ_STATE } from './channel-state-operation.ts';
import type { PageRoom } from './page-room.ts';
import type { Query } from './start-position.ts';
import type { SubscriberAccess } from './subscriber-access.ts';

export interface ChannelStateOptions {
  readonly hub: Pick<Hub, 'readState'>;
  readonly loop: Pick<FairLoop, 'add'>;
  readonly subscribers: Pick<SubscriberAccess, 'of'>;
  readonly room: PageRoom;
  /** More headers for every answer, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** `GET` and `HEAD` of `/channels/:channel/state` (docs/protocol.md §3). */
export async function channelStateRoute(
  app: FastifyInstance,
  { hub, loop, subscribers, room, headers }: ChannelStateOptions,
): Promise<void> {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  const readState = async (channel: ChannelName, reply: FastifyReply): Promise<Buffer> => {
    const { events, tail, ended, next } = await hub.readState(channel);
    if (next !== undefined)
      throw new BrokerError(
        'state-too-large',
        `The state of ${channel} has more than 2 MiB. Read it with /events/${channel}?state.`,
      );
    const list = await listOf(events, loop);
    reply.headers({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'sluice-position': tail,
    });
    return Buffer.from(`{"channel":"${channel}","events":[${list}],"position":"${tail}","ended":${ended}}`);
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

/** Encodes the events with commas between them, in slices of the loop. */
function listOf(events: readonly StoredEvent[], loop: Pick<FairLoop, 'add'>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const left = events.values();
  let list = '';
  loop.add({
    run: (until) => {
      try {
        for (const event of left) {
          list += `${list === '' ? '' : ','}${eventJson(event)}`;
          if (performance.now() >= until) return true;
        }
        resolve(list);
      } catch (error) {
        reject(error);
      }
      return false;
    },
  });
  return promise;
}
