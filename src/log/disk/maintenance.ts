import type { StatementSync } from 'node:sqlite';
import { TAIL_TTL_MS } from '../event-log.ts';
import type { ChannelTable } from './channel-table.ts';
import { GarbageDamage, isDamage } from './damage.ts';
import type { Database } from './database.ts';
import type { DiskSpace } from './disk-space.ts';
import type { Retention } from './retention.ts';
import { DROP_BYTES, DROP_ROWS } from './event-table.ts';
import type { EventTable } from './event-table.ts';
import type { IdempotencyTable } from './idempotency-table.ts';
import type { LatestTable } from './latest-table.ts';
import type { LogClock } from './log-clock.ts';
import type { RevocationTable } from './revocation-table.ts';
import { MAX_ORDINAL } from './schema.ts';
import { EVENT_BYTES, IDEMPOTENCY_BYTES, storedBytes } from './stored-usage.ts';
import type { StoredUsage } from './stored-usage.ts';

/** How long a slice of the work takes, in ms. */
const SLICE_MS = 5;
/** The shares of the disk of channels without events, and of idempotency keys. */
const IDLE_SHARE = 1 / 8;
const KEYS_SHARE = 1 / 8;
/** When the disk share is full, this much of it is made free at once, so that not every append has to. The share, and the bytes. */
const FREE_SHARE = 1 / 64;
const MAX_FREE_BYTES = 8 * 1024 * 1024;
/** The bytes of an empty database. */
const EMPTY_BYTES = 256 * 1024;
/** How much more than it needs an append drops at most. Pages are freed in a lump, when all their rows are dropped. */
const MAX_DROPPED_FOR_ONE = 4;

interface MaintenanceOptions {
  readonly database: Database;
  readonly channels: ChannelTable;
  readonly events: EventTable;
  readonly latest: LatestTable;
  readonly idempotency: IdempotencyTable;
  readonly revocations: RevocationTable;
  readonly retention: Retention;
  readonly usage: StoredUsage;
  readonly space: DiskSpace;
  readonly clock: LogClock;
  readonly dataBytes: number;
}

/**
 * Keeps the database within its share of the disk. Appends make room for themselves, with {@link makeRoom}. All other work is done in
 * slices between commits, in {@link slice}: what is too old or cleared is dropped, and free pages are given back.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #nextGarbage: StatementSync;
  readonly #removeGarbage: StatementSync;
  /** Numbers whose rows cannot be dropped, because their pages are damaged. */
  readonly #stuck = new Set<number>();
  readonly #steps: readonly (() => boolean)[];
  /** Bytes that can be appended before room must be made. */
  #room = 0;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    const { database, retention, latest, space } = options;
    this.#nextGarbage = database.prepare(
      'SELECT channel FROM garbage WHERE channel > ? ORDER BY channel LIMIT 1',
    );
    this.#removeGarbage = database.prepare('DELETE FROM garbage WHERE channel = ?');
    this.#steps = [
      () => this.#dropGarbage() > 0,
      () => this.#measure() < this.#spare && this.#dropOldest(DROP_BYTES) > 0,
      () => retention.expire(),
      () => this.#dropKeys(),
      () => this.#forgetIdle(),
      () => latest.isOverShare && latest.dropOldest(DROP_ROWS) > 0,
      () => options.revocations.expire(DROP_ROWS) > 0,
      () => space.giveBack(),
    ];
  }

  /** To be called at the beginning of each transaction with appends. */
  begin(): void {
    this.#measure();
  }

  /**
   * Makes room for an append, before anything else is done for it. May forget other channels.
   * @param bytes of its records and keys, with {@link EVENT_BYTES} for each
   * @returns false when there is none
   */
  makeRoom(bytes: number): boolean {
    this.#room -= bytes;
    if (this.#room >= 0) return true;
    const { space } = this.#options;
    if (bytes > space.limit - EMPTY_BYTES) return false;
    const enough = bytes + this.#spare;
    let dropped = 0;
    while (this.#measure() < enough) {
      const now = this.#dropGarbage() || this.#dropOldest(enough);
      if (now === 0) break;
      dropped += now;
      if (this.#room >= bytes && dropped >= MAX_DROPPED_FOR_ONE * enough) break;
    }
    this.#room -= bytes;
    return this.#room >= 0;
  }

  /**
   * To be called at the end of each transaction with appends, with the number of requests. Each can add a channel and as many
   * idempotency keys as it has events, so as many are dropped when there are too many.
   */
  end(): void {
    for (let step = 0; step < 2 && this.#isIdleOverShare && this.#forgetIdle(); step++);
    for (let step = 0; step < 18 && this.#dropKeysOverShare(); step++);
    this.#options.usage.save();
  }

  /** One slice of the work. To be called in a transaction. Returns whether there is more to do now. */
  slice(): boolean {
    const end = performance.now() + SLICE_MS;
    const hasMore = this.#steps.some((step) => {
      while (step()) if (performance.now() > end) return true;
      return false;
    });
    this.#options.usage.save();
    return hasMore;
  }

  /** To be called after a transaction was rolled back. */
  reset(): void {
    this.#room = 0;
  }

  get #spare(): number {
    return Math.min(MAX_FREE_BYTES, this.#options.space.limit * FREE_SHARE);
  }

  /** Returns the bytes that can be appended now. */
  #measure(): number {
    const { space } = this.#options;
    return (this.#room = space.limit - space.usedBytes);
  }

  /** Drops what is oldest: events, then tails, states and idempotency keys, which have shares of their own. Returns bytes. */
  #dropOldest(enough: number): number {
    const { retention, latest, idempotency } = this.#options;
    return (
      retention.evict(enough) ||
      this.#forget(Infinity) * EVENT_BYTES ||
      latest.dropOldest(DROP_ROWS) * EVENT_BYTES ||
      idempotency.dropOldest(DROP_ROWS) * IDEMPOTENCY_BYTES
    );
  }

  /** Drops some rows of channels that were cleared, forgotten or damaged. Returns about how many bytes. */
  #dropGarbage(): number {
    const { database, events, latest } = this.#options;
    let channel = database.number(this.#nextGarbage, -1);
    while (channel !== undefined && this.#stuck.has(channel))
      channel = database.number(this.#nextGarbage, channel);
    if (channel === undefined) return 0;
    try {
      const dropped = this.#dropRows(events, channel) || latest.dropOf(channel, DROP_ROWS) * EVENT_BYTES;
      if (dropped === 0) this.#removeGarbage.run(channel);
      return dropped + 1;
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#stuck.add(channel);
      throw new GarbageDamage(channel, error);
    }
  }

  #dropRows(events: EventTable, channel: number): number {
    let bytes = 0;
    let end = 0;
    for (const [ordinal, , length] of events.ages(channel, 0, MAX_ORDINAL, DROP_ROWS)) {
      bytes += storedBytes(length) + EVENT_BYTES;
      end = ordinal + 1;
      if (bytes > DROP_BYTES) break;
    }
    // In a damaged tree, rows may be found and not dropped.
    return end > 0 && events.drop(channel, 0, end) > 0 ? bytes : 0;
  }

  /** Drops idempotency keys that are too old or too many. Returns whether there were any. */
  #dropKeys(): boolean {
    return (
      this.#options.idempotency.expire(this.#options.clock.now(), DROP_ROWS) > 0 || this.#dropKeysOverShare()
    );
  }

  #dropKeysOverShare(): boolean {
    const { idempotency, dataBytes } = this.#options;
    return (
      idempotency.span * IDEMPOTENCY_BYTES > dataBytes * KEYS_SHARE && idempotency.dropOldest(DROP_ROWS) > 0
    );
  }

  /** Forgets channels that have been idle for too long, or of which there are too many. Returns whether there were any. */
  #forgetIdle(): boolean {
    return this.#forget(this.#isIdleOverShare ? Infinity : this.#options.clock.now() - TAIL_TTL_MS) > 0;
  }

  get #isIdleOverShare(): boolean {
    const { usage, dataBytes } = this.#options;
    return usage.bytes('idle') > dataBytes * IDLE_SHARE;
  }

  /** Forgets channels that are idle since then. A followed channel stays for as long again. Returns how many were forgotten. */
  #forget(idleSince: number): number {
    const { channels, usage, clock } = this.#options;
    let forgotten = 0;
    const idle = channels.idle(idleSince, DROP_ROWS);
    for (const { name, number } of idle) {
      const facts = channels.byNumber(number);
      if (facts === undefined) channels.discard(number);
      else if (channels.isFollowed(name) && idleSince < Infinity) channels.save(facts, clock.now());
      else channels.forget(facts);
      forgotten++;
    }
    if (idle.length === 0 && idleSince === Infinity) usage.empty('idle');
    return forgotten;
  }
}
