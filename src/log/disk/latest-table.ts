import { Buffer } from 'node:buffer';
import type { StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { ORIGIN } from '../../events/event.ts';
import type { EventId, StoredEvent } from '../../events/event.ts';
import type { LatestCursor, LatestLimits } from '../event-log.ts';
import { MEASURED_ROWS, storedBytes } from './stored-usage.ts';
import type { StoredUsage } from './stored-usage.ts';
import type { Database } from './database.ts';
import { integers } from './schema.ts';

/** The bytes of a row besides its key and record, with its entries in both indexes. The key is in the row and in one index. */
const ROW_BYTES = 72;
/** How many channels' numbers of keys are kept in memory. */
const MAX_COUNTS = 10_000;
/** How many keys of other channels one new key drops at most, when the keys take more than their share. */
const MAX_EVICTED = 1_024;

interface LatestTableOptions {
  /** The most that the states of all channels may take together, in bytes. */
  readonly limit: number;
  /** Called when keys are dropped because all states together take too much. */
  readonly onEvicted: (keys: number) => void;
  /** Called when the newest event of a key is damaged. */
  readonly onDamaged: (channel: number, id: number) => void;
}

interface LatestEvent {
  readonly id: EventId;
  readonly ms: number;
  readonly seq: number;
  readonly record: Uint8Array;
}

type Row = readonly [id: number, ms: number, seq: number, checksum: number, key: string, record: Uint8Array];
type Dropped = readonly [channel: number, keyBytes: number, recordBytes: number];

/**
 * The state of each channel: the newest event of each key. A changed key gets a new row, so the order of the rows' ids is the order of
 * changes, in each channel and in all of them. Channels are given by their numbers.
 */
export class LatestTable {
  readonly #database: Database;
  readonly #usage: StoredUsage;
  readonly #options: LatestTableOptions;
  readonly #insert: StatementSync;
  readonly #remove: StatementSync;
  readonly #removeOldest: StatementSync;
  readonly #removeAny: StatementSync;
  readonly #count: StatementSync;
  readonly #sizes: StatementSync;
  readonly #rows: StatementSync;
  readonly #newest: StatementSync;
  readonly #counts = new Map<number, number>();
  /** Undefined when it is not known. */
  #lastId: number | undefined;

  constructor(database: Database, usage: StoredUsage, options: LatestTableOptions) {
    this.#database = database;
    this.#usage = usage;
    this.#options = options;
    const prepare = (sql: string): StatementSync => database.prepare(sql);
    const dropped = 'RETURNING channel, length(key), length(record)';
    this.#insert = prepare(
      'INSERT INTO latest (id, channel, key, ms, seq, checksum, record) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#remove = prepare(`DELETE FROM latest WHERE channel = ? AND key = ? ${dropped}`);
    this.#removeOldest = prepare(
      `DELETE FROM latest WHERE id IN
        (SELECT id FROM latest WHERE channel = ? ORDER BY id LIMIT ?) ${dropped}`,
    );
    this.#removeAny = prepare(
      `DELETE FROM latest WHERE id IN (SELECT id FROM latest ORDER BY id LIMIT ?) ${dropped}`,
    );
    this.#count = prepare('SELECT count(*) FROM latest WHERE channel = ?');
    this.#newest = prepare('SELECT max(id) FROM latest');
    this.#sizes = prepare(
      `SELECT length(key), length(record) FROM latest
        WHERE channel = ? ORDER BY id LIMIT ${MEASURED_ROWS}`,
    );
    this.#rows = prepare(
      `SELECT id, ${integers('ms', 'seq', 'checksum')}, key, record FROM latest
        WHERE channel = ? AND id > ? ORDER BY id LIMIT ?`,
    );
  }

  /** How many keys the channel has. */
  count(channel: number): number {
    const known = this.#counts.get(channel);
    if (known !== undefined) return known;
    const count = this.#database.number(this.#count, channel) ?? 0;
    if (this.#counts.size >= MAX_COUNTS) this.#counts.clear();
    this.#counts.set(channel, count);
    return count;
  }

  /** The bytes of the channel's keys, estimated from the first of them. */
  bytes(channel: number): number {
    const count = this.count(channel);
    if (count === 0) return 0;
    const sizes = this.#sizes.all(channel) as unknown as readonly (readonly [number, number])[];
    let bytes = 0;
    for (const [key, record] of sizes) bytes += costOf(key, record);
    return Math.round((bytes / Math.max(1, sizes.length)) * count);
  }

  /** Makes the event the newest one of its key. Drops other keys, of any channel, when all together take more than their share. */
  set(channel: number, key: string, { ms, seq, record }: LatestEvent): void {
    const cost = costOf(key.length, record.length);
    this.delete(channel, key);
    if (cost > this.#options.limit) {
      this.#options.onEvicted(1);
      return;
    }
    this.#lastId ??= this.#database.number(this.#newest) ?? 0;
    const id = ++this.#lastId;
    this.#insert.run(id, channel, key, ms, seq, checksumOf(id, channel, key, ms, seq, record), record);
    this.#usage.add('latest', cost);
    const count = this.#counts.get(channel);
    if (count !== undefined) this.#counts.set(channel, count + 1);
    let evicted = 0;
    while (this.isOverShare && evicted < MAX_EVICTED) {
      const dropped = this.dropOldest(1);
      if (dropped === 0) break;
      evicted += dropped;
    }
  }

  /** Whether all states together take more than their share. */
  get isOverShare(): boolean {
    return this.#usage.bytes('latest') > this.#options.limit;
  }

  /** Forgets a key. */
  delete(channel: number, key: string): void {
    this.#account(this.#remove.all(channel, key));
  }

  /** Drops the keys that changed longest ago, until the channel has `keys` keys. Drops at most `most`, and returns how many. */
  trim(channel: number, keys: number, most: number): number {
    const surplus = this.count(channel) - keys;
    return surplus <= 0 ? 0 : this.dropOf(channel, Math.min(surplus, most));
  }

  /** Drops at most `most` keys of the channel, those that changed longest ago. Returns how many. */
  dropOf(channel: number, most: number): number {
    return this.#account(this.#removeOldest.all(channel, most));
  }

  /** Drops the keys that changed longest ago, of any channel. Returns how many. */
  dropOldest(most: number): number {
    const dropped = this.#account(this.#removeAny.all(most));
    if (dropped === 0) this.#usage.empty('latest');
    else this.#options.onEvicted(dropped);
    return dropped;
  }

  /** To be called after a transaction was rolled back. */
  dropCache(): void {
    this.#lastId = undefined;
    this.#counts.clear();
  }

  /**
   * Reads a page of the state. Events after `upTo` are left out, and so are damaged ones. The place in the cursor is the id of a row.
   */
  page(
    channel: number,
    after: LatestCursor | undefined,
    upTo: { readonly ms: number; readonly seq: number },
    { limit, maxBytes }: LatestLimits,
  ): { readonly events: readonly StoredEvent[]; readonly place: string | undefined } {
    const rows: Row[] = [];
    let bytes = 0;
    let more = false;
    let from = after === undefined ? 0 : Number(after.place);
    let left = limit + 1;
    const found = this.#database.rows<Row>(this.#rows, channel, from, left);
    for (const row of found) {
      left--;
      const [id, ms, seq, checksum, key, record] = row;
      const isIntact =
        record instanceof Uint8Array && checksum === checksumOf(id, channel, key, ms, seq, record);
      if (!isIntact) {
        this.#options.onDamaged(channel, id);
        from = id;
        more = left === 0;
        continue;
      }
      if (ms > upTo.ms || (ms === upTo.ms && seq > upTo.seq)) break;
      more = rows.length >= limit || (rows.length > 0 && bytes + record.length > maxBytes);
      if (more) break;
      // A damaged row took a place among the rows that were asked for.
      more = left === 0;
      from = id;
      rows.push(row);
      bytes += record.length;
    }
    return { events: eventsOf(rows, bytes), place: more ? String(from) : undefined };
  }

  /** Subtracts dropped rows. Returns how many there were. */
  #account(rows: readonly unknown[]): number {
    let bytes = 0;
    for (const [channel, key, record] of rows as readonly Dropped[]) {
      bytes += costOf(key, record);
      const count = this.#counts.get(channel);
      if (count !== undefined) this.#counts.set(channel, count - 1);
    }
    if (bytes > 0) this.#usage.add('latest', -bytes);
    return rows.length;
  }
}

/** Copies the records into one buffer. */
function eventsOf(rows: readonly Row[], bytes: number): readonly StoredEvent[] {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  let start = 0;
  let prev = ORIGIN;
  return rows.map(([, ms, seq, , , record]) => {
    buffer.set(record, start);
    const event = {
      id: `${ms}-${seq}` as EventId,
      prev,
      record: buffer.subarray(start, (start += record.length)),
    };
    prev = event.id;
    return event;
  });
}

function costOf(keyBytes: number, recordBytes: number): number {
  return ROW_BYTES + 2 * keyBytes + storedBytes(recordBytes);
}

function checksumOf(
  id: number,
  channel: number,
  key: string,
  ms: number,
  seq: number,
  record: Uint8Array,
): number {
  return crc32(record, crc32(`${id} ${channel} ${key} ${ms} ${seq}`));
}
