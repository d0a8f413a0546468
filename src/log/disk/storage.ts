import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import type {
  Appended,
  ChannelAbout,
  ChannelListPage,
  ChannelListRequest,
  ChannelState,
  HistoryPolicy,
  LatestCursor,
  LatestLimits,
  LatestPage,
  LogPage,
} from '../event-log.ts';

/** An append. Its events are records (`events/record.ts`). */
export interface AppendRequest {
  readonly kind: 'append';
  readonly channel: ChannelName;
  readonly records: readonly Uint8Array[];
  /** The own key of each event; undefined when no event has one. */
  readonly keys: readonly (string | undefined)[] | undefined;
  /** For each event, whether it makes the log forget its key; undefined when no event does. */
  readonly deletes: readonly boolean[] | undefined;
  readonly policy: HistoryPolicy;
  /** One for each event, or one for an end without events; undefined without an idempotency key. */
  readonly positions: readonly KeyedPosition[] | undefined;
  readonly ifLast: EventId | undefined;
  readonly end: boolean;
}

export interface ClearRequest {
  readonly kind: 'clear';
  readonly channel: ChannelName;
  readonly policy: HistoryPolicy;
  /** The record of the event `sluice:cleared`. */
  readonly record: Uint8Array;
}

/** Keeps revocations. Of two with one key, the later one is kept. */
export interface RevokeRequest {
  readonly kind: 'revoke';
  readonly revocations: readonly StoredRevocation[];
}

/** A revocation by the text of `revocationKey`. */
export interface StoredRevocation {
  readonly key: string;
  /** In epoch ms. */
  readonly until: number;
}

export type WriteRequest = AppendRequest | ClearRequest | RevokeRequest;

/** What a request has done. */
export type WriteOutcome = AppendOutcome | ClearOutcome | Refusal | { readonly kind: 'revoked' };

export interface AppendOutcome {
  readonly kind: 'appended';
  /** As {@link EventLog.append} returns them. */
  readonly results: readonly Appended[];
  /** The channel's tail before the first event that was appended now: its predecessor. */
  readonly prev: EventId;
  /** The channel's tail now. */
  readonly tail: EventId;
  /** Whether the request has ended the channel now. */
  readonly ended: boolean;
  /** How many keys the channel's state has lost because it had too many. */
  readonly keysDropped: number;
}

export interface ClearOutcome {
  readonly kind: 'cleared';
  /** The event that says so; undefined when the channel was empty and nothing was done. */
  readonly event: { readonly id: EventId; readonly prev: EventId } | undefined;
}

/** Nothing was done. */
export interface Refusal {
  readonly kind: 'refused';
  readonly reason: 'channel-ended' | 'tail-mismatch' | 'idempotency-key-reused' | 'log-full';
  /** With `tail-mismatch`. */
  readonly tail?: EventId;
}

/** For metrics. Counters count since the start of the process. */
export interface StorageFigures {
  /** The bytes of the database file, as if the write-ahead log had been moved into it, and of the write-ahead log. */
  readonly fileBytes: number;
  readonly walBytes: number;
  /** The bytes of pages that hold something. */
  readonly usedBytes: number;
  /** Events dropped before their time, because the disk share was full. */
  readonly eventsEvicted: number;
  /** Keys of states dropped because the disk share was full. */
  readonly keysEvicted: number;
  /** Events that could not be read because their bytes are damaged. */
  readonly eventsDamaged: number;
}

/**
 * The database of the embedded log on disk. All methods are synchronous and may wait for the disk, so only the storage thread
 * calls them. When `commit` returns, the operating system has the write. The next `fdatasync` of {@link Storage.walFile} puts it on disk.
 * A method throws an error of node:sqlite when the disk or the database fails; a failed `commit` has changed nothing.
 */
export interface Storage {
  /** Does all requests, in order, in one transaction. Returns one outcome for each. */
  commit(requests: readonly WriteRequest[]): readonly WriteOutcome[];
  /** The descriptor of the write-ahead log: `fdatasync` on it makes every commit so far durable. */
  readonly walFile: number;
  /** To be called after an `fdatasync` that succeeded, with the number of commits that it covered. */
  synced(commits: number): void;
  /** The most bytes of records that one commit may have, unless a single append has more. */
  readonly commitBytes: number;
  /** The number of commits so far. */
  readonly commits: number;

  /** As the methods of {@link EventLog}; the records of a page share one buffer, which nothing else uses. */
  read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): LogPage;
  state(channel: ChannelName): ChannelState;
  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): EventId;
  readLatest(channel: ChannelName, after: LatestCursor | undefined, limits: LatestLimits): LatestPage;
  /** Whether no position is remembered with another digest. */
  checkKeys(positions: readonly KeyedPosition[]): boolean;
  about(channel: ChannelName, policy: HistoryPolicy): ChannelAbout;
  countAfter(channel: ChannelName, positions: readonly EventId[], policy: HistoryPolicy): readonly number[];
  list(request: ChannelListRequest): ChannelListPage;
  /** A page of the revocations, in the order of their keys, after `after` ('' for the first page). */
  revocations(after: string, limit: number): readonly StoredRevocation[];

  /**
   * Says that subscribers follow a channel, or no longer do. An unknown channel keeps its tail while it is followed.
   */
  follow(channel: ChannelName, followed: boolean): void;

  /**
   * One slice of the background work, of some 5 ms: drops what is too old, cleared or beyond the limit of the disk, and
   * gives space back. A commit of its own. Returns whether there is more to do now.
   */
  maintain(): boolean;
  /** Whether the write-ahead log is long enough for a {@link checkpoint}. */
  readonly needsCheckpoint: boolean;
  /**
   * Moves the write-ahead log into the database, and syncs both. Afterwards every commit is durable.
   * @param rewrite whether the write-ahead log has to be written again: after a failed sync, a later one may succeed without its
   *   bytes
   */
  checkpoint(rewrite?: boolean): void;
  /**
   * Whether the files are still where they were opened. Otherwise what is written gets lost, and the storage has to be opened again.
   * Moves the write-ahead log into the database first, which may still be there.
   */
  isInPlace(): boolean;
  figures(): StorageFigures;
  /** Moves the write-ahead log into the database, syncs, and closes. */
  close(): void;
}

export interface StorageOptions {
  /** The folder. It exists. */
  readonly folder: string;
  /** The most that the files may have together, in bytes. */
  readonly dataBytes: number;
  /** The most that the process may keep in memory of the database, in bytes. */
  readonly memoryBytes: number;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** How long a revocation is kept, in ms. */
  readonly revocationTtl: number;
  /** Called when something is damaged, and when the disk share becomes full: a line for the log, once for each kind. */
  readonly onNotice: (notice: StorageNotice) => void;
  /** Returns epoch ms. Only tests set it. */
  readonly wallClock?: () => number;
  /** Returns the ms of a monotonic clock. Only tests set it. */
  readonly steadyClock?: () => number;
}

export interface StorageNotice {
  /**
   * - `damaged`: an event, a channel or the database cannot be read; `detail` says which and what happens now
   * - `lost`: what was acknowledged is missing at the end of the log
   * - `evicting`: the disk share is full, and the oldest events are dropped
   * - `small`: the disk has less room than the disk share
   */
  readonly kind: 'damaged' | 'lost' | 'evicting' | 'small';
  readonly channel?: string;
  readonly detail: string;
}
