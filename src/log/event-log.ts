import type { ChannelName } from '../events/channel-name.ts';
import type { EventId, NewEvent, StoredEvent } from '../events/event.ts';
import type { LogTrouble } from '../events/log-trouble.ts';

/** What a log keeps of one channel. */
export interface HistoryPolicy {
  /** Events. */
  readonly size: number;
  /** How long an event is kept, in ms. */
  readonly ttl: number;
}

/** Where events are kept and announced. Its laws are the contract suite's, which every adapter passes. */
export interface EventLog {
  /**
   * Appends and announces 1 to {@link MAX_APPENDED} events in one atomic step: what a follower hears is already readable,
   * in log order, and nobody else's event is between them. Gives as many results, in the same order.
   * @throws BrokerError `log-unavailable` in under a second when the log cannot be reached (the events may have been
   *   appended all the same: only an idempotency key makes a retry safe), `log-full` when it has no room; then none of
   *   them was appended
   */
  append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]>;

  /**
   * Events strictly after `after`, oldest first, at most `limit` and no more than {@link PAGE_BYTES} of records in all
   * (but at least one), and whether the log can prove that none is missing.
   * @throws BrokerError `log-unavailable`; its trouble is `version` when the next event has an unknown form
   */
  read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage>;

  /**
   * The id after which the newest `count` retained events lie.
   * @throws BrokerError `log-unavailable`
   */
  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId>;

  /**
   * Tells the listener of every later append. Patient: while the log is away it goes on trying, until it is stopped.
   * Gives the function that stops it.
   */
  follow(channel: ChannelName, listener: LogListener): () => void;

  /** Whether the log takes events and its announcements arrive. Never rejects. */
  health(): Promise<LogHealth>;

  close(): Promise<void>;
}

/** Events that one append takes at the most. */
export const MAX_APPENDED = 256;

/** Bytes of events in a page at the most, but for a single event that is larger. */
export const PAGE_BYTES = 256 * 1024;

/** How long a channel's tail outlives its events, in ms: as long, "you missed nothing" can still be said. */
export const TAIL_TTL_MS = 86_400_000;

export interface AppendOptions {
  /** What is kept of the channel from now on. */
  readonly policy: HistoryPolicy;
  /**
   * 1 to 200 visible ASCII characters. The key counts with each event's position among `events`; the same key and position
   * on the same channel within the log's time-to-live append once.
   */
  readonly idempotencyKey?: string | undefined;
}

export interface Appended {
  readonly id: EventId;
  /** True when an earlier append with the same idempotency key gave this id, and nothing was appended now. */
  readonly replayed: boolean;
}

export interface LogPage {
  readonly events: readonly StoredEvent[];
  /** The id of the channel's newest event, whether or not it is still retained. */
  readonly tail: EventId;
  /** True when `after` belongs to this log and nothing between it and the first event (or the tail) is missing. */
  readonly complete: boolean;
  /** How many more events the channel takes before the first of these is let go of; 0 where that is not known. */
  readonly room: number;
}

/** What a follower is told. It may be called before {@link EventLog.follow} returns. */
export interface LogListener {
  /** Every later append is certain to be told; the tail was this at that moment. Once, and {@link onEvents} may come first. */
  onFollowing(tail: EventId): void;
  /** In log order; an event may come twice. */
  onEvents(events: readonly StoredEvent[]): void;
  /** The channel cannot be followed now, which is tried again; `error` says why. */
  onTrouble?(error: unknown): void;
  /** Announcements may be lost from here on. Only between {@link onFollowing} and {@link onResumed}. */
  onInterrupted(): void;
  /** Announcements arrive again; what was appended up to `tail` may have gone unheard. */
  onResumed(tail: EventId): void;
}

export interface LogHealth {
  /** Whether anything can be published; in a log of several parts, to channels of one of them at least. */
  readonly up: boolean;
  /** Why the log, or a part of it, cannot be used; '' when all of it can. */
  readonly reason: LogTrouble | '';
  /** The same in one line, with the words of whoever refuses; empty when all of the log can be used. */
  readonly detail: string;
  /** Hash slots of a cluster whose channels cannot be published to; 0 where there are none. */
  readonly slotsDown: number;
}

export const HEALTHY: LogHealth = { up: true, reason: '', detail: '', slotsDown: 0 };
