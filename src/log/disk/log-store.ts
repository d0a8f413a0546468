import { closeSync, fdatasyncSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { StatementSync } from 'node:sqlite';
import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import type { ChannelState, HistoryPolicy, LogPage } from '../event-log.ts';
import { eventId } from '../id-parts.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import { ChannelAppends } from './channel-appends.ts';
import { channelState, hasRows } from './channel-facts.ts';
import { ChannelHistory } from './channel-history.ts';
import { ChannelTable } from './channel-table.ts';
import { Database } from './database.ts';
import { EventTable } from './event-table.ts';
import { FolderLock } from './folder-lock.ts';
import { ForgottenTails } from './forgotten-tails.ts';
import { IdempotencyTable } from './idempotency-table.ts';
import { LogClock } from './log-clock.ts';
import { DATABASE_FILE, PAGE_SIZE } from './schema.ts';
import type { StorageOptions, WriteOutcome, WriteRequest } from './storage.ts';
import { WalWitness } from './wal-witness.ts';
import type { WitnessedEvent } from './wal-witness.ts';

/** The share of the memory for pages of the database, and the share for facts of channels. */
const CACHE_SHARE = 1 / 8;
/** How many pages the write-ahead log gets before a checkpoint, at the most. */
const MAX_WAL_PAGES = 4_000;
/** The same as a share of the disk space. */
const WAL_SHARE = 1 / 16;

/** The database of the embedded log on disk: see {@link Storage}. */
export class LogStore {
  readonly #lock: FolderLock;
  readonly #witness: WalWitness;
  readonly #database: Database;
  readonly #clock: LogClock;
  readonly #channels: ChannelTable;
  readonly #events: EventTable;
  readonly #idempotency: IdempotencyTable;
  readonly #history: ChannelHistory;
  readonly #appends: ChannelAppends;
  readonly #countFrames: StatementSync;
  readonly #moveFrames: StatementSync;
  readonly #walPages: number;
  readonly walFile: number;
  #commits = 0;
  /** The frames of the write-ahead log, and how many of them are in the database. */
  #frames = 0;
  #moved = 0;

  /**
   * Opens the log in a folder, or makes one.
   * @throws LogStartError, or an error of node:sqlite or of the file system
   */
  constructor(options: StorageOptions) {
    const { folder, dataBytes, memoryBytes } = options;
    this.#lock = new FolderLock(folder);
    const path = join(folder, DATABASE_FILE);
    this.#witness = new WalWitness(folder);
    const database = new Database(path, memoryBytes * CACHE_SHARE);
    this.#database = database;
    this.#countFrames = database.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.#moveFrames = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.#clock = new LogClock(database, options);
    this.#events = new EventTable(database);
    this.#channels = new ChannelTable({
      database,
      events: this.#events,
      forgotten: new ForgottenTails(database),
      clock: this.#clock,
      cacheBytes: memoryBytes * CACHE_SHARE,
      onDamage: () => undefined,
    });
    this.#idempotency = new IdempotencyTable(database, options.idempotencyTtl);
    this.#history = new ChannelHistory({
      events: this.#events,
      now: () => this.#clock.now(),
      onDamage: () => undefined,
    });
    this.#appends = new ChannelAppends({
      channels: this.#channels,
      events: this.#events,
      idempotency: this.#idempotency,
      latest: { set: () => undefined, delete: () => undefined, trim: () => 0 },
      clock: this.#clock,
      isTooLarge: () => false,
    });
    this.#walPages = Math.min(MAX_WAL_PAGES, (dataBytes * WAL_SHARE) / PAGE_SIZE);
    this.#measureWal();
    this.#reportLoss(options);
    // Makes the file of the write-ahead log.
    database.transaction(() => database.setMeta('opened', this.#clock.now()));
    this.walFile = openSync(`${path}-wal`, 'r+');
    this.#measureWal();
  }

  get commits(): number {
    return this.#commits;
  }

  commit(requests: readonly WriteRequest[]): readonly WriteOutcome[] {
    const outcomes = this.#write(() => {
      const now = this.#clock.now();
      this.#clock.store(now);
      return requests.map((request) => this.#do(request, now));
    });
    return outcomes;
  }

  synced(commits: number): void {
    if (commits === this.#commits) this.#witness.write(this.walFile, this.#frames, this.#newestEvent());
  }

  read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): LogPage {
    const facts = this.#channels.find(channel);
    if (facts !== undefined) return this.#history.page(facts, after, limit, policy);
    const tail = eventId(this.#channels.unknownTail(channel));
    return { events: [], tail, ended: false, complete: after === tail, room: 0 };
  }

  state(channel: ChannelName): ChannelState {
    const facts = this.#channels.find(channel);
    if (facts !== undefined) return channelState(facts);
    return { tail: eventId(this.#channels.unknownTail(channel)), status: 'empty' };
  }

  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): EventId {
    const facts = this.#channels.find(channel);
    if (facts !== undefined) return this.#history.rewind(facts, count, policy);
    return eventId(this.#channels.unknownTail(channel));
  }

  checkKeys(positions: readonly KeyedPosition[]): boolean {
    const now = this.#clock.now();
    return positions.every((position) => this.#idempotency.recall(position, now) !== 'reused');
  }

  follow(channel: ChannelName, followed: boolean): void {
    this.#channels.follow(channel, followed);
  }

  get needsCheckpoint(): boolean {
    return this.#frames - this.#moved > this.#walPages;
  }

  /** A reader in another process, such as a copy that is being made, can keep frames in the write-ahead log. */
  checkpoint(): void {
    this.#moveFrames.get();
    this.#measureWal();
    if (this.#moved < this.#frames) fdatasyncSync(this.walFile);
    this.synced(this.#commits);
  }

  close(): void {
    try {
      this.#moveFrames.get();
      this.#witness.withdraw();
      closeSync(this.walFile);
      this.#database.close();
    } finally {
      this.#witness.close();
      this.#lock.release();
    }
  }

  /** Does the work in a transaction of its own. When it fails, nothing has changed. */
  #write<T>(work: () => T): T {
    try {
      const result = this.#database.transaction(work);
      this.#commits++;
      this.#measureWal();
      return result;
    } catch (error) {
      this.#channels.dropCache();
      this.#appends.forgetNewest();
      throw error;
    }
  }

  #do(request: WriteRequest, now: number): WriteOutcome {
    switch (request.kind) {
      case 'append':
        return this.#appends.append(request, now);
      case 'clear':
        return this.#appends.clear(request, now);
      case 'revoke':
        return { kind: 'revoked' };
    }
  }

  #measureWal(): void {
    const [, frames, moved] = this.#countFrames.get() as unknown as [number, number, number];
    this.#frames = frames;
    this.#moved = moved;
  }

  #newestEvent(): WitnessedEvent | undefined {
    const facts = this.#appends.newest;
    if (facts === undefined || !hasRows(facts)) return undefined;
    return { channel: facts.number, ordinal: facts.next - 1, ms: facts.tailMs };
  }

  /** Says so when the end of the log is missing. Then nothing that subscribers have can be proven. */
  #reportLoss({ onNotice }: StorageOptions): void {
    const hasEvent = ({ channel, ordinal }: WitnessedEvent): boolean =>
      this.#events.first(channel, ordinal, ordinal + 1) !== undefined;
    if (!this.#witness.misses(this.#frames, hasEvent)) return;
    const now = Math.max(this.#clock.wall(), this.#clock.now(), (this.#witness.event?.ms ?? 0) + 1);
    this.#database.transaction(() => this.#channels.breakAt(now));
    onNotice({
      kind: 'lost',
      detail:
        'The end of the log on disk is damaged, and the newest events are lost. Every subscriber is told that events may be missing. Check the disk.',
    });
  }
}

/** The bytes of a file. */
export function fileBytes(file: number): number {
  return fstatSync(file).size;
}
