import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { StatementSync } from 'node:sqlite';
import type { Database, Row } from './database.ts';
import { MAX_ORDINAL, ORDINAL_BITS, integers } from './schema.ts';

/** An event without its record. */
export interface EventHead {
  readonly ordinal: number;
  readonly ms: number;
  readonly seq: number;
  readonly prevMs: number;
  readonly prevSeq: number;
  /** When the event was appended, in ms of the log's clock. */
  readonly at: number;
}

/** Columns of {@link EventTable.rows}. */
export const ORDINAL = 0;
export const MS = 1;
export const SEQ = 2;
export const PREV_MS = 3;
export const PREV_SEQ = 4;
const AT = 5;
const CHECKSUM = 6;
export const RECORD = 7;
type HeadColumns = [
  ordinal: number,
  ms: number,
  seq: number,
  prevMs: number,
  prevSeq: number,
  at: number,
  checksum: number,
];
export type EventRow = [...head: HeadColumns, record: Uint8Array];
type RowHead = readonly [...head: HeadColumns, rest: unknown];

/** A row with the size of its record in place of the record. */
type MeasuredRow = [...head: HeadColumns, length: number];
const LENGTH = RECORD;
/** The most that one step drops, so that it is short: so many rows, or so many bytes of records. */
export const DROP_ROWS = 256;
export const DROP_BYTES = 1024 * 1024;
/** How many rows of a page are measured first. They say how many more the page can have. */
const FIRST_MEASURED = 16;

const place = (channel: string, ordinal: string): string => `((${channel} << ${ORDINAL_BITS}) | ${ordinal})`;
const HEAD = `place & ${MAX_ORDINAL}, ${integers('ms', 'seq', 'prev_ms', 'prev_seq', 'at')}`;
const RANGE = `place >= ${place('?1', '?2')} AND place < ${place('?1', '?3')}`;

/** The events of all channels. A channel is named by its number, an event by its ordinal in the channel. */
export class EventTable {
  readonly #database: Database;
  readonly #insert: StatementSync;
  readonly #first: StatementSync;
  readonly #last: StatementSync;
  readonly #rows: StatementSync;
  readonly #measured: StatementSync;
  readonly #joined: StatementSync;
  readonly #lengths: StatementSync;
  readonly #ages: StatementSync;
  readonly #drop: StatementSync;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO events VALUES (${place('?1', '?2')}, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
    );
    this.#first = database.prepare(`SELECT ${HEAD} FROM events WHERE ${RANGE} ORDER BY place LIMIT 1`);
    this.#last = database.prepare(
      `SELECT ${HEAD}, ${integers('checksum')}, record FROM events WHERE place >= ${place('?1', '0')} AND place < ${place('?1', '?2')} ORDER BY place DESC LIMIT 1`,
    );
    this.#rows = database.prepare(
      `SELECT ${HEAD}, ${integers('checksum')}, record FROM events WHERE ${RANGE} ORDER BY place`,
    );
    this.#measured = database.prepare(
      `SELECT ${HEAD}, ${integers('checksum')}, length(record) FROM events WHERE ${RANGE} ORDER BY place`,
    );
    // A cast of a blob to a text and back changes no byte.
    this.#joined = database.prepare(
      `SELECT CAST(group_concat(CAST(record AS TEXT), '') AS BLOB) FROM events WHERE ${RANGE}`,
    );
    this.#lengths = database.prepare(
      `SELECT length(record) FROM events WHERE ${RANGE} ORDER BY place LIMIT ?4`,
    );
    this.#ages = database.prepare(
      `SELECT place & ${MAX_ORDINAL}, ${integers('at')}, length(record) FROM events WHERE ${RANGE} ORDER BY place LIMIT ?4`,
    );
    this.#drop = database.prepare(`DELETE FROM events WHERE ${RANGE}`);
  }

  /** The arguments are one by one, because an object for each event would cost as much as the checksum. */
  insert(
    channel: number,
    ordinal: number,
    ms: number,
    seq: number,
    prevMs: number,
    prevSeq: number,
    at: number,
    record: Uint8Array,
  ): void {
    const checksum = crc32(record, seedOf(channel, ordinal, ms, seq, prevMs, prevSeq, at));
    this.#insert.run(channel, ordinal, ms, seq, prevMs, prevSeq, at, checksum, record);
  }

  /** Returns the first event of `from` to `end` (exclusive). */
  first(channel: number, from: number, end: number = MAX_ORDINAL): EventHead | undefined {
    const row = this.#first.get(channel, from, end) as EventRow | undefined;
    return row && headOf(row);
  }

  /** Returns the newest event before an ordinal, and whether its checksum is right. */
  last(
    channel: number,
    before: number = MAX_ORDINAL,
  ): { readonly head: EventHead; readonly intact: boolean } | undefined {
    const row = this.#last.get(channel, before) as EventRow | undefined;
    return row && { head: headOf(row), intact: isIntact(channel, row) };
  }

  /** Iterates over the events of `from` to `end` (exclusive), oldest first. {@link isIntact} checks each. */
  rows(channel: number, from: number, end: number): Iterable<EventRow> {
    return this.#database.rows<EventRow>(this.#rows, channel, from, end);
  }

  /**
   * Returns the events of `from` to `end` (exclusive), up to `maxBytes` of records, but at least one. Their records fill one buffer.
   * Returns undefined when a row is missing, is not intact, or does not follow the row before: {@link rows} tells which.
   * Node makes an object for each value of a row, so one value for all records halves the cost of a page.
   */
  page(channel: number, from: number, end: number, maxBytes: number): EventRow[] | undefined {
    const rows: MeasuredRow[] = [];
    let bytes = 0;
    let isFull = false;
    let wanted = FIRST_MEASURED;
    while (!isFull && from + rows.length < end) {
      const next = from + rows.length;
      const more = this.#measured.all(
        channel,
        next,
        Math.min(end, next + wanted),
      ) as unknown as MeasuredRow[];
      if (more.length === 0) return undefined;
      for (const row of more) {
        if (row[ORDINAL] !== from + rows.length || typeof row[LENGTH] !== 'number') return undefined;
        if (!follows(row, rows.at(-1))) return undefined;
        isFull = rows.length > 0 && bytes + row[LENGTH] > maxBytes;
        if (isFull) break;
        rows.push(row);
        bytes += row[LENGTH];
      }
      // As many as fit when they are as large as those so far.
      wanted = Math.ceil(((maxBytes - bytes) * rows.length) / bytes) + 1;
    }
    const [joined] = this.#joined.get(channel, from, from + rows.length) as unknown as [Uint8Array | null];
    return joined?.length === bytes ? intactRows(channel, rows, joined) : undefined;
  }

  /** Returns the sizes of the records of at most `limit` events, oldest first. Reads no large records. */
  lengths(channel: number, from: number, end: number, limit: number): number[] {
    return (this.#lengths.all(channel, from, end, limit) as unknown as Row[]).map((row) => Number(row[0]));
  }

  /** Returns ordinal, time and record size of at most `limit` events, oldest first. Reads no large records. */
  ages(
    channel: number,
    from: number,
    end: number,
    limit: number,
  ): readonly (readonly [ordinal: number, at: number, length: number])[] {
    return this.#ages.all(channel, from, end, limit) as unknown as [number, number, number][];
  }

  /** Drops the events of `from` to `end` (exclusive). Returns how many there were. */
  drop(channel: number, from: number, end: number): number {
    return Number(this.#drop.run(channel, from, end).changes);
  }
}

/** Whether the row names the row before it as its predecessor. True when there is no row before it. */
export function follows(row: RowHead, before: RowHead | undefined): boolean {
  return before === undefined || (row[PREV_MS] === before[MS] && row[PREV_SEQ] === before[SEQ]);
}

/** Gives each row its record. Returns undefined when a row is not as it was written. */
function intactRows(
  channel: number,
  rows: readonly MeasuredRow[],
  records: Uint8Array,
): EventRow[] | undefined {
  let start = records.byteOffset;
  const found: EventRow[] = [];
  for (const measured of rows) {
    const row = measured as unknown as EventRow;
    const length = measured[LENGTH];
    row[RECORD] = Buffer.from(records.buffer, start, length);
    if (!isIntact(channel, row)) return undefined;
    found.push(row);
    start += length;
  }
  return found;
}

/** Whether the row is as it was written, at this place. */
export function isIntact(channel: number, row: EventRow): boolean {
  const record = row[RECORD];
  if (!(record instanceof Uint8Array)) return false;
  const seed = seedOf(channel, row[ORDINAL], row[MS], row[SEQ], row[PREV_MS], row[PREV_SEQ], row[AT]);
  return crc32(record, seed) === row[CHECKSUM];
}

function headOf([ordinal, ms, seq, prevMs, prevSeq, at]: EventRow): EventHead {
  return { ordinal, ms, seq, prevMs, prevSeq, at };
}

/** Mixes the numbers of a row into the start value of its checksum, so that the checksum covers them too. */
function seedOf(
  channel: number,
  ordinal: number,
  ms: number,
  seq: number,
  prevMs: number,
  prevSeq: number,
  at: number,
): number {
  let seed = mix(channel, ordinal);
  seed = mix(seed, ms);
  seed = mix(seed, seq);
  seed = mix(seed, prevMs);
  seed = mix(seed, prevSeq);
  return mix(seed, at);
}

/** Mixes a number of up to 53 bits into a word. Every step can be undone, so no changed bit is lost. */
function mix(seed: number, value: number): number {
  let word = Math.imul(seed ^ value, 0x9e37_79b1);
  word ^= word >>> 15;
  word = Math.imul(word ^ (value / 2 ** 32), 0x85eb_ca6b);
  return (word ^ (word >>> 13)) >>> 0;
}
