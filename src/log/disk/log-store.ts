import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import type {
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
import { eventId, idParts } from '../id-parts.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import { channelState } from './channel-facts.ts';
import { DamageReport, guardChannel, guardTable } from './damage.ts';
import { diskShare, walShare } from './disk-space.ts';
import { DamageRepair } from './damage-repair.ts';
import { FolderLock } from './folder-lock.ts';
import { PAGE_SIZE } from './schema.ts';
import type {
  Storage,
  StorageFigures,
  StorageOptions,
  StoredRevocation,
  WriteOutcome,
  WriteRequest,
} from './storage.ts';
import type { StoreTables } from './store-tables.ts';
import { WalWitness } from './wal-witness.ts';
import type { WitnessedEvent } from './wal-witness.ts';

/** How many pages the write-ahead log gets before a checkpoint, at the most. */
const MAX_WAL_PAGES = 4_000;
/** The same as a share of the disk space. */
const WAL_SHARE = 1 / 16;

/** The most bytes of records in one commit, and the same as a share of the write-ahead log. */
const MAX_COMMIT_BYTES = 8 * 1024 * 1024;
const COMMIT_SHARE = 1 / 2;

/** The database of the embedded log on disk. */
export class LogStore implements Storage {
  readonly #lock: FolderLock;
  readonly #witness: WalWitness;
  readonly #report: DamageReport;
  readonly #repair: DamageRepair;
  readonly #walPages: number;
  readonly commitBytes: number;
  #commits = 0;
  #eventsEvicted = 0;
  #keysEvicted = 0;

  /**
   * Opens the log in a folder, or makes one.
   * @throws LogStartError, or an error of node:sqlite or of the file system
   */
  constructor(options: StorageOptions) {
    const { folder, onNotice } = options;
    this.#lock = new FolderLock(folder);
    this.#witness = new WalWitness(folder);
    this.#report = new DamageReport(onNotice);
    const { bytes: dataBytes, room } = diskShare(folder, options.dataBytes);
    const onEvicted = (dropped: { readonly events?: number; readonly keys?: number }): void => {
      if (this.#eventsEvicted + this.#keysEvicted === 0)
        onNotice({
          kind: 'evicting',
          detail:
            'The log has all the space that it may have, and drops its oldest events. Raise SLUICE_DATA_BYTES to keep more.',
        });
      this.#eventsEvicted += dropped.events ?? 0;
      this.#keysEvicted += dropped.keys ?? 0;
    };
    this.commitBytes = Math.min(MAX_COMMIT_BYTES, walShare(dataBytes) * COMMIT_SHARE);
    this.#walPages = Math.min(MAX_WAL_PAGES, (dataBytes * WAL_SHARE) / PAGE_SIZE);
    try {
      const newestMs = this.#witness.event?.ms;
      const isKnown = this.#witness.hasFile;
      this.#repair = new DamageRepair(
        { ...options, dataBytes, report: this.#report, onEvicted },
        { isKnown, newestMs },
      );
      this.#reportLoss(options);
      if (room !== undefined)
        onNotice({
          kind: 'small',
          detail: `SLUICE_DATA_BYTES is ${options.dataBytes}, and the disk has room for ${room} bytes. The log takes at most ${dataBytes} bytes until the next start.`,
        });
    } catch (error) {
      this.#witness.close();
      this.#lock.release();
      throw error;
    }
  }

  get walFile(): number {
    return this.#repair.open.walFile;
  }

  get commits(): number {
    return this.#commits;
  }

  commit(requests: readonly WriteRequest[]): readonly WriteOutcome[] {
    return this.#write(() => {
      const { clock, maintenance } = this.#tables;
      const now = clock.now();
      // A commit without requests asks whether the disk takes writes.
      clock.store(now, requests.length === 0);
      maintenance.begin();
      const outcomes = requests.map((request) => this.#do(request, now));
      maintenance.end();
      return outcomes;
    });
  }

  synced(commits: number): void {
    if (commits !== this.#commits) return;
    const { walFile, frames, newestEvent } = this.#repair.open;
    try {
      this.#witness.write(walFile, frames, newestEvent);
    } catch {
      // An older witness says less than it could, and nothing wrong.
    }
  }

  read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): LogPage {
    return this.#read(channel, ({ channels, history }) => {
      const facts = channels.find(channel);
      if (facts !== undefined) return history.page(facts, after, limit, policy);
      const tail = eventId(channels.unknownTail(channel));
      return { events: [], tail, ended: false, complete: after === tail, room: 0 };
    });
  }

  state(channel: ChannelName): ChannelState {
    return this.#read(channel, ({ channels }) => {
      const facts = channels.find(channel);
      if (facts !== undefined) return channelState(facts);
      return { tail: eventId(channels.unknownTail(channel)), status: 'empty' };
    });
  }

  rewind(channel: ChannelName, count: number, policy: HistoryPolicy): EventId {
    return this.#read(channel, ({ channels, history }) => {
      const facts = channels.find(channel);
      if (facts !== undefined) return history.rewind(facts, count, policy);
      return eventId(channels.unknownTail(channel));
    });
  }

  readLatest(channel: ChannelName, after: LatestCursor | undefined, limits: LatestLimits): LatestPage {
    return this.#read(channel, ({ channels, latest }) => {
      const facts = channels.find(channel);
      const tail = facts?.tail ?? eventId(channels.unknownTail(channel));
      const upTo = after?.upTo ?? tail;
      if (facts === undefined) return { events: [], tail, ended: false, next: undefined };
      const { events, place } = guardTable('latest', () =>
        latest.page(facts.number, after, idParts(upTo), limits),
      );
      const next = place === undefined ? undefined : { upTo, place };
      return { events, tail, ended: channelState(facts).status === 'ended', next };
    });
  }

  checkKeys(positions: readonly KeyedPosition[]): boolean {
    return this.#repair.attempt(() => {
      const { clock, idempotency } = this.#tables;
      const now = clock.now();
      return guardTable('idempotency', () =>
        positions.every((position) => idempotency.recall(position, now) !== 'reused'),
      );
    });
  }

  about(channel: ChannelName, policy: HistoryPolicy): ChannelAbout {
    return this.#read(channel, ({ catalog }) => catalog.about(channel, policy));
  }

  countAfter(channel: ChannelName, positions: readonly EventId[], policy: HistoryPolicy): readonly number[] {
    return this.#read(channel, ({ catalog }) => catalog.countAfter(channel, positions, policy));
  }

  list(request: ChannelListRequest): ChannelListPage {
    return this.#repair.attempt(() => this.#tables.catalog.list(request));
  }

  revocations(after: string, limit: number): readonly StoredRevocation[] {
    return this.#repair.attempt(() => this.#tables.revocations.page(after, limit));
  }

  follow(channel: ChannelName, followed: boolean): void {
    this.#read(channel, ({ channels }) => channels.follow(channel, followed));
  }

  maintain(): boolean {
    return this.#write(() => this.#tables.maintenance.slice());
  }

  get needsCheckpoint(): boolean {
    return this.#repair.open.framesToMove > this.#walPages;
  }

  checkpoint(rewrite = false): void {
    this.#repair.open.checkpoint(rewrite);
    this.synced(this.#commits);
  }

  isInPlace(): boolean {
    const { open } = this.#repair;
    if (open.isInPlace) return true;
    open.checkpoint();
    return false;
  }

  figures(): StorageFigures {
    const { space } = this.#tables;
    return {
      fileBytes: space.fileBytes,
      walBytes: this.#repair.open.walBytes,
      usedBytes: space.usedBytes,
      eventsEvicted: this.#eventsEvicted,
      keysEvicted: this.#keysEvicted,
      eventsDamaged: this.#report.events,
    };
  }

  close(): void {
    try {
      this.#repair.open.checkpoint();
      this.#witness.withdraw();
      this.#repair.close();
    } finally {
      this.#witness.close();
      this.#lock.release();
    }
  }

  get #tables(): StoreTables {
    return this.#repair.open.tables;
  }

  #read<T>(channel: ChannelName, work: (tables: StoreTables) => T): T {
    return this.#repair.attempt(() => guardChannel(channel, () => work(this.#tables)));
  }

  /** Does the work in a transaction of its own. When it fails, nothing has changed. */
  #write<T>(work: () => T): T {
    const result = this.#repair.attempt(() => this.#repair.open.write(work));
    this.#commits++;
    return result;
  }

  #do(request: WriteRequest, now: number): WriteOutcome {
    const { appends, revocations } = this.#tables;
    switch (request.kind) {
      case 'append':
        return guardChannel(request.channel, () => appends.append(request, now));
      case 'clear':
        return guardChannel(request.channel, () => appends.clear(request, now));
      case 'revoke':
        revocations.keep(request.revocations);
        return { kind: 'revoked' };
    }
  }

  /** Says so when the end of the log is missing. Then nothing that subscribers have can be proven. */
  #reportLoss({ onNotice }: StorageOptions): void {
    const { open, isNew } = this.#repair;
    if (isNew) return;
    const { events, channels, clock } = open.tables;
    const hasEvent = ({ channel, ordinal }: WitnessedEvent): boolean =>
      events.first(channel, ordinal, ordinal + 1) !== undefined;
    if (!this.#witness.misses(open.foundFrames, hasEvent)) return;
    const newest = Math.max(clock.wall(), clock.now(), this.#witness.event?.ms ?? 0);
    // Lost events may have been in this millisecond.
    open.write(() => channels.breakAt(newest + 1));
    onNotice({
      kind: 'lost',
      detail:
        'The end of the log on disk is damaged, and the newest events are lost. Every subscriber is told that events may be missing. Check the disk.',
    });
  }
}
