import { diskAway, diskFailure, isSyncFailure } from './disk-failure.ts';
import type { DiskFailure } from './disk-failure.ts';
import type { Storage, WriteOutcome, WriteRequest } from './storage.ts';
import { WaitingReads } from './waiting-reads.ts';
import type { Replies } from './reply-batch.ts';
import type { ReadRequest } from './storage-requests.ts';
import { WaitingWrites, countEvents } from './waiting-writes.ts';
import type { NumberedWrite } from './waiting-writes.ts';

export interface GroupCommitOptions {
  readonly storage: Storage;
  /** `always`: an outcome is sent when it is on disk. `1s`: it is sent after the commit, and a sync follows within a second. */
  readonly pace: 'always' | '1s';
  /** Makes every commit so far durable, without waiting, and calls back. */
  readonly sync: (done: (error: Error | null) => void) => void;
  readonly replies: Replies;
}

/** A commit that is not on disk yet. */
interface Group {
  readonly writes: readonly NumberedWrite[];
  readonly outcomes: readonly WriteOutcome[];
}

/** With `1s`, how long a commit waits for its sync, in ms. */
const SYNC_DELAY_MS = 1_000;
/** Between two attempts to write after a failure, in ms. */
const PROBE_MS = 500;
/** How often the background work begins, in ms. */
const TICK_MS = 1_000;
/** The write-ahead log is moved into the database after this time without a write, in ms. */
const IDLE_MS = 5_000;
const FILES_GONE = 'files of the log were removed or replaced while the broker was using them';
/** While there are writes, they get this many times as much time as the background work. */
const WRITES_SHARE = 3;

/**
 * Does the requests of the storage thread. Writes that arrive while a sync is under way become one commit, which shares the
 * next sync. Nobody sees what is not on disk: a read of a channel that the unsynced commit has touched waits for the sync.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #storage: Storage;
  readonly #replies: Replies;
  readonly #writes: WaitingWrites;
  readonly #reads: WaitingReads;
  readonly #tick: NodeJS.Timeout;
  /** With `always`: the commit that is not synced yet. */
  #group: Group | undefined;
  /** With `1s`: whether a sync is due. */
  #dirty = false;
  #syncing = false;
  /** With `1s`: whether a commit waits for a sync longer than it may, because the one before has not ended. */
  #overdue = false;
  /** Why writes fail. After a failed sync, nothing is written until a checkpoint has made everything durable. */
  #failing: { readonly by: 'commit' | 'sync'; readonly failure: DiskFailure } | undefined;
  #probe: NodeJS.Timeout | undefined;
  #isScheduled = false;
  #wroteAt = 0;
  /** The commits before the last checkpoint. */
  #checkpointed: number;
  /** No checkpoint begins before this time: the last one has failed. */
  #checkpointAfter = 0;
  #maintenanceDue = false;
  #maintainAfter = 0;
  #closing: ((error: Error | undefined) => void) | undefined;
  #closed = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#storage = options.storage;
    this.#replies = options.replies;
    this.#writes = new WaitingWrites(options.storage.commitBytes);
    this.#reads = new WaitingReads(options.storage, options.replies);
    this.#checkpointed = options.storage.commits;
    this.#tick = setInterval(() => this.#beginBackgroundWork(), TICK_MS);
  }

  write(ticket: number, request: WriteRequest): void {
    const isClosing = this.#closing !== undefined;
    if (isClosing) this.#replies.failure(ticket, diskAway('the broker is shutting down', false));
    else if (this.#failing?.by === 'sync') this.#replies.failure(ticket, this.#failing.failure);
    else this.#writes.add(ticket, request);
  }

  read(ticket: number, request: ReadRequest): void {
    this.#reads.add(ticket, request);
  }

  /** To be called after the requests of a message. Does what can be done now. */
  turn(): void {
    if (this.#closed) return;
    this.#reads.run();
    this.#commit();
    this.#maintain();
    this.#replies.flush();
    if (this.#closing !== undefined && this.#isDone()) this.#finish(this.#closing);
    else if (this.#reads.ready || (this.#writes.size > 0 && this.#mayCommit())) this.#schedule();
  }

  /** Does the waiting writes, syncs, and closes the storage. */
  close(done: (error: Error | undefined) => void): void {
    if (this.#closed) return done(undefined);
    this.#closing = done;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.turn();
    });
  }

  #mayCommit(): boolean {
    return this.#group === undefined && !this.#overdue && this.#failing?.by !== 'sync';
  }

  #commit(): void {
    if (this.#writes.size === 0 || !this.#mayCommit()) return;
    if (this.#storage.needsCheckpoint && !this.#checkpoint()) return;
    const writes = this.#writes.take();
    this.#wroteAt = performance.now();
    let outcomes: readonly WriteOutcome[];
    try {
      outcomes = this.#storage.commit(writes.map(({ request }) => request));
    } catch (error) {
      const failure = diskFailure(error);
      for (const { ticket } of writes) this.#replies.failure(ticket, failure);
      return this.#fail('commit', failure);
    }
    this.#recovered('commit');
    this.#replies.committed(countEvents(writes));
    const group = { writes, outcomes };
    if (this.#options.pace === '1s') {
      this.#sendOutcomes(group);
      this.#syncSoon();
    } else {
      this.#group = group;
      this.#reads.hold(writes);
      this.#sync();
    }
  }

  #sync(): void {
    this.#syncing = true;
    const { commits } = this.#storage;
    const startedAt = performance.now();
    this.#options.sync((error) => {
      this.#syncing = false;
      this.#replies.synced((performance.now() - startedAt) / 1_000);
      const isOverdue = this.#overdue;
      this.#overdue = false;
      if (error === null) this.#durable(commits);
      else this.#syncFailed(error);
      if (isOverdue && error === null) this.#sync();
      this.turn();
    });
  }

  /** With `1s`. */
  #syncSoon(): void {
    if (this.#dirty) return;
    this.#dirty = true;
    setTimeout(() => {
      this.#dirty = false;
      // A commit from now on needs another sync.
      if (this.#closed || this.#failing?.by === 'sync') return;
      if (this.#syncing) this.#overdue = true;
      else this.#sync();
    }, SYNC_DELAY_MS);
  }

  #durable(commits: number): void {
    this.#storage.synced(commits);
    const group = this.#group;
    this.#group = undefined;
    if (group !== undefined) this.#sendOutcomes(group);
    this.#reads.release();
    this.#replies.flush();
  }

  /** The kernel may have dropped the pages that it could not write. A second sync would succeed without them. See {@link #tryAgain}. */
  #syncFailed(error: Error): void {
    const failure = diskFailure(error, true);
    for (const { ticket } of this.#group?.writes ?? []) this.#replies.failure(ticket, failure);
    const refused = { ...failure, mayBeDone: false };
    for (const { ticket } of this.#writes.takeAll()) this.#replies.failure(ticket, refused);
    this.#fail('sync', refused);
  }

  #fail(by: 'commit' | 'sync', failure: DiskFailure): void {
    const before = this.#failing;
    this.#failing = { by: before?.by === 'sync' ? 'sync' : by, failure };
    if (before?.failure.detail !== failure.detail) this.#replies.health(failure);
    this.#probe ??= setTimeout(() => {
      this.#probe = undefined;
      this.#tryAgain();
    }, PROBE_MS);
  }

  #recovered(by: 'commit' | 'sync'): void {
    if (this.#failing === undefined || (by === 'commit' && this.#failing.by === 'sync')) return;
    this.#failing = undefined;
    this.#replies.health(undefined);
  }

  /** Finds out whether the disk takes writes again. After a failed sync, a checkpoint writes everything once more. */
  #tryAgain(): void {
    const by = this.#failing?.by;
    if (by === undefined || this.#closed) return;
    try {
      if (by === 'sync') this.#storage.checkpoint(true);
      else this.#storage.commit([]);
    } catch (error) {
      this.#fail(by, diskFailure(error));
      return this.#replies.flush();
    }
    this.#recovered(by);
    if (by === 'sync') this.#durable(this.#storage.commits);
    this.turn();
  }

  /** Returns false when writes fail now. */
  #checkpoint(): boolean {
    const now = performance.now();
    if (now < this.#checkpointAfter || this.#syncing) return true;
    try {
      this.#storage.checkpoint();
      this.#checkpointed = this.#storage.commits;
      // Another program that reads the database keeps frames in the write-ahead log.
      if (this.#storage.needsCheckpoint) this.#checkpointAfter = now + PROBE_MS;
    } catch (error) {
      this.#checkpointAfter = now + PROBE_MS;
      // Otherwise the commits are in the write-ahead log, which goes on growing. When the disk is full, a commit says so.
      if (isSyncFailure(error)) this.#syncFailed(error as Error);
    }
    return this.#failing?.by !== 'sync';
  }

  #beginBackgroundWork(): void {
    this.#maintenanceDue = true;
    // Ends the thread. Another thread then opens the storage again, if there is one.
    if (!this.#closed && !this.#storage.isInPlace()) throw new Error(FILES_GONE);
    const isIdle = performance.now() - this.#wroteAt > IDLE_MS && this.#group === undefined;
    if (isIdle && this.#failing === undefined && this.#storage.commits !== this.#checkpointed)
      this.#checkpoint();
    this.turn();
  }

  /** One slice of the background work, when it is due. */
  #maintain(): void {
    const startedAt = performance.now();
    if (!this.#maintenanceDue || startedAt < this.#maintainAfter) return;
    if (this.#failing !== undefined || this.#closing !== undefined) return;
    try {
      this.#maintenanceDue = this.#storage.maintain();
    } catch {
      // The next write meets the same failure, and reports it.
      this.#maintenanceDue = false;
    }
    if (!this.#maintenanceDue) return;
    const pause = this.#group === undefined ? 0 : (performance.now() - startedAt) * WRITES_SHARE;
    this.#maintainAfter = performance.now() + pause;
    setTimeout(() => this.turn(), pause);
  }

  #sendOutcomes({ writes, outcomes }: Group): void {
    for (const [index, { ticket }] of writes.entries())
      this.#replies.outcome(ticket, outcomes[index] as WriteOutcome);
  }

  #isDone(): boolean {
    return this.#failing?.by === 'sync' || (this.#mayCommit() && this.#writes.size === 0 && !this.#syncing);
  }

  #finish(done: (error: Error | undefined) => void): void {
    this.#closed = true;
    clearInterval(this.#tick);
    clearTimeout(this.#probe);
    try {
      if (this.#failing?.by === 'sync') this.#storage.checkpoint(true);
      this.#storage.close();
      done(undefined);
    } catch (error) {
      done(error as Error);
    }
  }
}
