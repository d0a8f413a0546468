import { statSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { StatementSync } from 'node:sqlite';
import type { Database } from './database.ts';
import { DATABASE_FILE, PAGE_SIZE } from './schema.ts';

const MIB = 1024 * 1024;
/** The share of the disk for the write-ahead log, and its bounds in bytes. */
const WAL_SHARE = 1 / 4;
const MIN_WAL_BYTES = 4 * MIB;
const MAX_WAL_BYTES = 64 * MIB;
/** Free pages are given back when they take more than this, in bytes, and more than this share of the file. */
const MAX_FREE_BYTES = 4 * MIB;
const MAX_FREE_SHARE = 1 / 8;
/** Pages that one step gives back. */
const STEP_PAGES = 64;

/** What the log leaves free of a disk that has less room than its share. */
const LEFT_FREE_SHARE = 1 / 16;
/** The smallest share that works, in bytes. */
const MIN_SHARE_BYTES = 16 * MIB;

/**
 * Returns the bytes that the log may take: `dataBytes`, or less on a disk that has less room. On a full disk the log could not drop
 * its oldest events, because that takes room, too. `room` is undefined when the disk has enough.
 */
export function diskShare(
  folder: string,
  dataBytes: number,
): { readonly bytes: number; readonly room: number | undefined } {
  const { blocks, bavail, bsize } = statfsSync(folder);
  const files = ['', '-wal'].map((suffix) => sizeOf(join(folder, `${DATABASE_FILE}${suffix}`)));
  const taken = files.reduce((sum, size) => sum + size);
  const room = bavail * bsize + taken;
  // Some file systems say nothing about their size.
  if (blocks === 0 || room >= dataBytes) return { bytes: dataBytes, room: undefined };
  // Not less than now: what fills the disk may go away again.
  const bytes = Math.max(Math.floor(room * (1 - LEFT_FREE_SHARE)), taken, MIN_SHARE_BYTES);
  return { bytes: Math.min(bytes, dataBytes), room };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The most that the write-ahead log may take of `dataBytes`. */
export function walShare(dataBytes: number): number {
  return Math.min(MAX_WAL_BYTES, Math.max(MIN_WAL_BYTES, dataBytes * WAL_SHARE));
}

/** Counts the pages of the database, and gives free ones back to the file system. */
export class DiskSpace {
  /** The most that the database file may take, in bytes. */
  readonly limit: number;
  readonly #database: Database;
  readonly #pages: StatementSync;
  readonly #free: StatementSync;

  constructor(database: Database, dataBytes: number) {
    this.limit = dataBytes - walShare(dataBytes);
    this.#database = database;
    this.#pages = database.prepare('PRAGMA page_count');
    this.#free = database.prepare('PRAGMA freelist_count');
    // The file of the write-ahead log is cut to this length when the log begins anew.
    database.exec(`PRAGMA journal_size_limit = ${walShare(dataBytes)}`);
  }

  /** The bytes of the database file, as if the write-ahead log had been moved into it. */
  get fileBytes(): number {
    return (this.#database.number(this.#pages) ?? 0) * PAGE_SIZE;
  }

  /** The bytes of pages that hold nothing. */
  get freeBytes(): number {
    return (this.#database.number(this.#free) ?? 0) * PAGE_SIZE;
  }

  get usedBytes(): number {
    return this.fileBytes - this.freeBytes;
  }

  /** Gives some free pages back when there are many, or when the file is too large. Returns whether it did. */
  giveBack(): boolean {
    const free = this.freeBytes;
    if (free === 0) return false;
    const file = this.fileBytes;
    const isMuch = free > MAX_FREE_BYTES && free > file * MAX_FREE_SHARE;
    if (!isMuch && file <= this.limit) return false;
    this.#database.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
    return this.freeBytes < free;
  }
}
