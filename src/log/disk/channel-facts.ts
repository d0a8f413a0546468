import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import type { ChannelState } from '../event-log.ts';
import { eventId } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';

/** What the tail is: an event after which more may come, the end of the channel, or the event `sluice:cleared`. */
export const OPEN = 0;
export const ENDED = 1;
export const CLEARED = 2;
export type ChannelStatus = typeof OPEN | typeof ENDED | typeof CLEARED;

/**
 * What the log knows of a channel. {@link ChannelTable} keeps it in memory; the database can always make it again. A change goes
 * into the database in the same transaction. Nobody keeps facts beyond a transaction.
 */
export interface ChannelFacts {
  readonly name: ChannelName;
  /** The number in the other tables. {@link ChannelTable.renumber} changes it. */
  number: number;
  /** The id of the newest event. */
  tailMs: number;
  tailSeq: number;
  /** The same as text. */
  tail: EventId;
  /** When the newest event was appended, in ms of the log's clock. */
  at: number;
  /** No row of `events` has a smaller ordinal, and rows may begin here. */
  first: number;
  /** Events with smaller ordinals are gone for readers. Not smaller than `first`. */
  floor: number;
  /** The ordinal of the next event. */
  next: number;
  status: ChannelStatus;
  /** The policy of the newest append. */
  size: number;
  ttl: number;
  /** When the oldest event was appended, or earlier, in ms of the log's clock. Counts only while the channel has rows. */
  oldestAt: number;
  /** Whether the stored row says that the channel has no events. */
  isIdle: boolean;
}

/** Whether rows of `events` belong to the channel. */
export function hasRows({ first, next }: ChannelFacts): boolean {
  return first < next;
}

export function channelState({ tail, status }: ChannelFacts): ChannelState {
  return { tail, status: status === ENDED ? 'ended' : status === CLEARED ? 'empty' : 'open' };
}

export function setTail(facts: ChannelFacts, { ms, seq }: IdParts): void {
  facts.tailMs = ms;
  facts.tailSeq = seq;
  facts.tail = eventId({ ms, seq });
}
