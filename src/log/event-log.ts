import type { ChannelName } from '../events/channel-name.ts';
import type { HistoryPolicy } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventId, NewEvent, StoredEvent } from '../events/event.ts';
import type { LogTrouble } from '../events/log-trouble.ts';

export type { HistoryPolicy } from '../events/channel-policies.ts';

/** Keeps and announces events. Every implementation passes the contract suite, test/contract/event-log-contract.ts. */
export interface EventLog {
  /** What the log knows of its channels, for those who look in. */
  readonly catalog: LogCatalog;
  /** Whether the log is outside of this process, so that it may lose events which this replica still has in memory. */
  readonly isOutside: boolean;

  /**
   * Appends and announces 1 to {@link MAX_APPENDED} events in one atomic step; with `end`, also none. An announced event can
   * already be read, events are announced in log order, and no other event is between these. Returns one result for each
   * event, in the same order; for an end without events, one result with the channel's tail.
   * @throws BrokerError `log-unavailable` in under a second when the log cannot be reached (the events may have been appended,
   *   so only an idempotency key makes a retry safe). With every other error no event was appended: `log-full` when the log has
   *   no room; `channel-ended`; `tail-mismatch` with the tail; `idempotency-key-reused`. An append whose events are all
   *   remembered by its idempotency key succeeds, whatever the channel's state is. Every error comes as a rejected promise; a log
   *   that does not wait returns the results of an append without a promise
   */
  append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): readonly Appended[] | Promise<readonly Appended[]>;

  /**
   * Reads the events strictly after `after`, oldest first: at most `limit` events and {@link PAGE_BYTES} of records, but at
   * least one event. Says whether the log can prove that no event is missing.
   * @throws BrokerError `log-unavailable`; its trouble is `version` when the next event's record has an unknown version
   */
  read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage>;

  /**
   * Checks that no event's idempotency key is remembered together with another event. Appends nothing.
   * @throws BrokerError `idempotency-key-reused`, `log-unavailable`
   */
  checkKeys(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): Promise<void>;

  /** @throws BrokerError `log-unavailable` */
  state(channel: ChannelName): Promise<ChannelState>;

  /**
   * Forgets the channel's events and its end, and appends and announces one event of the type `sluice:cleared`, so that every
   * subscriber is told in order. Ids go on increasing. Returns false, and does nothing, when the channel is `empty`.
   * @throws BrokerError `log-unavailable`
   */
  clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean>;

  /**
   * Returns the id that precedes the newest `count` kept events.
   * @throws BrokerError `log-unavailable`
   */
  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId>;

  /**
   * Reads the state of the channel: the newest event of each key, in the order of the events' ids. The log keeps these events
   * beside the history, for as long as it keeps the channel's tail. Each page is read in one atomic step. Without `after` the page
   * is the first. A later page has only events up to `after.upTo`, the tail of the first page: a key that has changed since is left
   * out. So the pages together with all events after that tail give the state exactly, and no older value comes after a newer one.
   * @throws BrokerError `log-unavailable`
   */
  readLatest(
    channel: ChannelName,
    after: LatestCursor | undefined,
    limits: LatestLimits,
  ): Promise<LatestPage>;

  /**
   * Calls the listener for every later append. While the log is away, tries again until it is stopped. Returns the function
   * that stops it.
   */
  follow(channel: ChannelName, listener: LogListener): () => void;

  /** Whether the log accepts events and its announcements arrive. Never rejects. */
  health(): Promise<LogHealth>;

  close(): Promise<void>;
}

/** Answers questions about channels. Every implementation passes test/contract/log-catalog-contract.ts. */
export interface LogCatalog {
  /**
   * Describes a channel. Events that the policy does not keep count as gone, whether or not the log has dropped them.
   * @throws BrokerError `log-unavailable`
   */
  about(channel: ChannelName, policy: HistoryPolicy): Promise<ChannelAbout>;

  /**
   * Counts, for each position, the kept events after it.
   * @param positions at most 1,000
   * @throws BrokerError `log-unavailable`
   */
  countAfter(
    channel: ChannelName,
    positions: readonly EventId[],
    policy: HistoryPolicy,
  ): Promise<readonly number[]>;

  /**
   * Lists channels whose tail the log keeps, in no order, in pages. A page ends when it has `limit` channels, or after some 50
   * ms, so it may be empty. It may have a few more channels than `limit`, because the log finds them in groups. A channel that
   * exists during the whole list is in it. It may be in it twice.
   * @throws BrokerError `log-unavailable`, `invalid-query` for a cursor that this log did not return
   */
  list(request: ChannelListRequest): Promise<ChannelListPage>;
}

export interface ChannelAbout {
  readonly state: ChannelState;
  /** The oldest kept event; null without one. */
  readonly first: EventId | null;
  /** The number of kept events. */
  readonly length: number;
  /** Estimated: the memory that the channel takes in the log. */
  readonly bytes: number;
  /** The number of keys. */
  readonly keys: number;
}

export interface ChannelListRequest {
  /** The names begin with this text. It has only characters of channel names, and may be empty. */
  readonly prefix: string;
  /** The `next` of the page before; undefined for the first page. */
  readonly cursor: string | undefined;
  readonly limit: number;
}

export interface ChannelListPage {
  readonly channels: readonly ChannelName[];
  /** Undefined after the last page. */
  readonly next: string | undefined;
}

/** The error for a cursor that {@link LogCatalog.list} did not return. */
export function badListCursor(): BrokerError {
  return new BrokerError('invalid-query', 'after= takes the "next" of an earlier answer, without a change.');
}

/** The largest number of events in one append. */
export const MAX_APPENDED = 256;

/** Bytes of data that the events of one append have together at the most, but for a single event that is larger. */
export const MAX_APPENDED_BYTES = 1024 * 1024;

/**
 * Each log calls this first: an append is one step, and a larger one would hold the log for too long.
 * @throws BrokerError `body-too-large`
 */
export function refuseTooMany(events: readonly NewEvent[]): void {
  if (events.length < 2) return;
  let bytes = 0;
  for (const { data } of events) bytes += Buffer.byteLength(data);
  if (events.length <= MAX_APPENDED && bytes <= MAX_APPENDED_BYTES) return;
  throw new BrokerError(
    'body-too-large',
    `At most ${MAX_APPENDED} events with ${MAX_APPENDED_BYTES} bytes of data in all can be published at once. Nothing was published; publish fewer at a time.`,
  );
}

/** The largest number of bytes of records in a page. A page of one event may be larger. */
export const PAGE_BYTES = 256 * 1024;

/** How long a channel's tail outlives its events, in ms. With the tail, the broker can still say "you missed nothing". */
export const TAIL_TTL_MS = 86_400_000;

export interface AppendOptions {
  /** Which events are kept of the channel from now on. */
  readonly policy: HistoryPolicy;
  /**
   * 1 to 200 visible ASCII characters. The log remembers the key together with each event's position and a digest of the
   * event. An event whose channel, key and position are remembered is not appended again. An end without events has the
   * position {@link firstPosition}; any other end belongs to the last event.
   */
  readonly idempotencyKey?: string | undefined;
  /** The position of the first event in a body that several appends publish; 0 when it is not set. */
  readonly firstPosition?: number | undefined;
  /** The events are appended only if this is the channel's tail. */
  readonly ifLast?: EventId | undefined;
  /** Ends the channel after the events, in the same atomic step. Until {@link EventLog.clear} the log refuses further events. */
  readonly end?: boolean | undefined;
}

/** What the log knows of a channel for as long as it keeps the channel's tail. */
export interface ChannelState {
  readonly tail: EventId;
  /** `empty`: the channel never had an event, or it was cleared and has had no event since. */
  readonly status: 'empty' | 'open' | 'ended';
}

export interface Appended {
  readonly id: EventId;
  /** True when an earlier append with the same idempotency key gave this id, and nothing was appended now. */
  readonly replayed: boolean;
}

export interface LogPage {
  readonly events: readonly StoredEvent[];
  /** The id of the channel's newest event, even if that event is no longer kept. */
  readonly tail: EventId;
  /** Whether the tail is the end of the channel. */
  readonly ended: boolean;
  /** True when `after` belongs to this log and no event is missing between `after` and the first event (or the tail). */
  readonly complete: boolean;
  /** How many more events the channel takes before the page's first event is dropped; 0 when this is not known. */
  readonly room: number;
}

/** Where a page of the state ended. */
export interface LatestCursor {
  /** The tail of the first page. */
  readonly upTo: EventId;
  /** The place of the page's last event, in a form of the log's own. */
  readonly place: string;
}

/** The most that a page of the state may have. The first event may be larger than `maxBytes`. */
export interface LatestLimits {
  readonly limit: number;
  /** Bytes of records. */
  readonly maxBytes: number;
}

export interface LatestPage {
  /** In the order of their ids. `prev` is the event before in the page, or the origin: it proves nothing. */
  readonly events: readonly StoredEvent[];
  /** The channel's tail when the page was read. */
  readonly tail: EventId;
  /** Whether the tail is the end of the channel. */
  readonly ended: boolean;
  /** Where the next page begins; undefined after the last page. */
  readonly next: LatestCursor | undefined;
}

/** Receives what happens to a followed channel. May be called before {@link EventLog.follow} returns. */
export interface LogListener {
  /** Every append after the tail is announced from now on. Called once; {@link onEvents} may be called before. */
  onFollowing(state: ChannelState): void;
  /** New events, in log order. An event may come twice. */
  onEvents(events: readonly StoredEvent[]): void;
  /** The channel has ended, and `tail` is its tail. Comes after the channel's last event, and may come twice. */
  onEnded(tail: EventId): void;
  /** The channel cannot be followed now; `error` says why. The log tries again. */
  onTrouble?(error: unknown): void;
  /** Announcements may be lost until {@link onResumed}. Called only after {@link onFollowing} or {@link onResumed}. */
  onInterrupted(): void;
  /** Announcements arrive again. The announcements of events up to the tail, and of the end, may have been lost. */
  onResumed(state: ChannelState): void;
}

export interface LogHealth {
  /** Whether events can be published. In a cluster: to the channels of at least one hash slot. */
  readonly up: boolean;
  /** Why the log or a part of it cannot be used; '' when all of it works. */
  readonly reason: LogTrouble | '';
  /** The same as one line, with the words of Redis; '' when all of the log works. */
  readonly detail: string;
  /** How many hash slots of a cluster accept no publishes; 0 without a cluster. */
  readonly slotsDown: number;
}

export const HEALTHY: LogHealth = { up: true, reason: '', detail: '', slotsDown: 0 };
