import type { ChannelName } from './channel-name.ts';
import type { EventId, NewEvent, StoredEvent } from './event.ts';
import type { LogTrouble } from './log-trouble.ts';

/** Where events are kept and announced. Its laws are the contract suite's, which every adapter passes. */
export interface EventLog {
  /**
   * Append and announce in one atomic step per channel: what a follower hears is already readable, in log order.
   * @throws BrokerError `log-unavailable` in under a second when the log cannot be reached (the event may have been
   *   appended all the same: only an idempotency key makes a retry safe), `log-full` when it has no room
   */
  append(channel: ChannelName, event: NewEvent, options?: AppendOptions): Promise<Appended>;

  /**
   * Events strictly after `after`, oldest first, at most `limit` and no more than {@link PAGE_BYTES} in all
   * (but at least one), and whether the log can prove that none is missing.
   * @throws BrokerError `log-unavailable`
   */
  read(channel: ChannelName, after: EventId, limit: number): Promise<LogPage>;

  /**
   * The id after which the newest `count` retained events lie.
   * @throws BrokerError `log-unavailable`
   */
  rewind(channel: ChannelName, count: number): Promise<EventId>;

  /**
   * Resolves once every later append is certain to reach the listener; gives the tail at that moment. Patient: while
   * the log is away it goes on trying, until it is stopped. The listener may be called before it resolves.
   */
  follow(channel: ChannelName, listener: LogListener): Following;

  /** Whether the log takes events and its announcements arrive. Never rejects. */
  health(): Promise<LogHealth>;

  close(): Promise<void>;
}

/** Bytes of events in a page at the most, but for a single event that is larger. */
export const PAGE_BYTES = 256 * 1024;

/** How long a channel's tail outlives its events, in ms: as long, "you missed nothing" can still be said. */
export const TAIL_TTL = 86_400_000;

export interface AppendOptions {
  /** 1 to 200 visible ASCII characters; the same key on the same channel within the log's time-to-live appends once. */
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

export interface LogListener {
  /** In log order; an event may come twice. */
  onEvents(events: readonly StoredEvent[]): void;
  /** The channel cannot be followed now, which is tried again; `error` says why. */
  onTrouble?(error: unknown): void;
  /** Announcements may be lost from here on. */
  onInterrupted(): void;
  /** Announcements arrive again; what was appended up to `tail` may have gone unheard. */
  onResumed(tail: EventId): void;
}

export interface Following {
  /** The tail when following began. Rejects only when stopped before that. */
  readonly started: Promise<EventId>;
  stop(): void;
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
