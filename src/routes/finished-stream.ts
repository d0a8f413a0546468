import type { FastifyReply } from 'fastify';
import type { ChannelName } from '../events/channel-name.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Query } from './start-position.ts';

/** How long the log may be asked for the states of all channels of a stream, in ms. */
const TIMEOUT_MS = 150;

type State = Awaited<ReturnType<Hub['stateOf']>>;

interface RequestedStream {
  readonly channels: readonly ChannelName[];
  /** One for each channel. */
  readonly starts: readonly Start[];
  /** The reader wants no stream of a channel that is empty or has ended. */
  readonly onlyActive: boolean;
}

/** Opens the stream, or answers with 204 when the stream would have nothing to say. An `EventSource` stops at a 204. */
export function unlessFinished(
  hub: Pick<Hub, 'stateOf'>,
  requested: RequestedStream,
  reply: FastifyReply,
  open: () => void | Promise<void>,
): void | Promise<void> {
  const answer = (finished: boolean): void | Promise<void> => {
    // Otherwise caches may keep a 204 (RFC 9110 §15.1), and the channel may be deleted and used again.
    if (!finished) return open();
    void reply.code(204).header('cache-control', 'no-store').send();
    return undefined;
  };
  const finished = isFinished(hub, requested);
  return finished instanceof Promise ? finished.then(answer) : answer(finished);
}

/**
 * Whether the reader has seen the end of every channel, or wants an active channel and there is none. Returns a promise only
 * when the log has to be asked. False when the log does not answer in time: the stream then opens, and writes the end itself.
 */
function isFinished(
  hub: Pick<Hub, 'stateOf'>,
  { channels, starts, onlyActive }: RequestedStream,
): boolean | Promise<boolean> {
  const checkFrom = (first: number, deadline: number): boolean | Promise<boolean> => {
    for (let index = first; index < channels.length; index++) {
      const start = starts[index] as Start;
      if (opensAnyway(start, onlyActive)) return false;
      const state = hub.stateOf(channels[index] as ChannelName);
      if (state instanceof Promise) {
        if (performance.now() > deadline) return false;
        return state.then((answer) => isOver(answer, start) && checkFrom(index + 1, deadline));
      }
      if (!isOver(state, start)) return false;
    }
    return true;
  };
  const finished = checkFrom(0, performance.now() + TIMEOUT_MS);
  if (!(finished instanceof Promise)) return finished;
  // The answers about several channels come one after the other, and each may take long.
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(late.resolve, TIMEOUT_MS, false);
  return Promise.race([finished, late.promise]).finally(() => clearTimeout(timer));
}

/** Whether the stream of a channel opens for certain, as far as this replica knows without asking the log. */
export function opensAtOnce(
  hub: Pick<Hub, 'knownStateOf'>,
  channel: ChannelName,
  start: Start,
  onlyActive: boolean,
): boolean {
  if (opensAnyway(start, onlyActive)) return true;
  const state = hub.knownStateOf(channel);
  return state !== undefined && !isOver(state, start);
}

/** Whether the reader gets a stream, whatever the log says. */
function opensAnyway(start: Start, onlyActive: boolean): boolean {
  return start.from === 'unreadable' || (start.from !== 'id' && !onlyActive);
}

/** A reader without a cursor has asked for an active channel. */
function isOver(state: State, start: Start): boolean {
  if (state === undefined) return false;
  if (start.from === 'id') return state.status === 'ended' && state.tail === start.id;
  return state.status !== 'open';
}

/**
 * Reads `only=`.
 * @param isSingle whether the stream has a single channel
 * @throws BrokerError `invalid-query`
 */
export function wantsOnlyActive({ only }: Query, isSingle: boolean): boolean {
  if (only === undefined) return false;
  if (!isSingle)
    throw new BrokerError('invalid-query', 'only= is for a single channel: /events/<channel>?only=active.');
  if (only === 'active') return true;
  throw new BrokerError('invalid-query', 'only= may only be active. Without it, the stream always opens.');
}
