import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StatementSync } from 'node:sqlite';
import { hasRows } from './channel-facts.ts';
import { makePrivate } from './folder-lock.ts';
import { LogStartError } from './log-start-error.ts';
import { DATABASE_FILE } from './schema.ts';
import { StoreTables } from './store-tables.ts';
import type { StoreTablesOptions } from './store-tables.ts';
import { readStart } from './wal-witness.ts';
import type { WitnessedEvent } from './wal-witness.ts';

/** How many bytes of the write-ahead log are written again at a time. */
const REWRITE_BYTES = 1024 * 1024;
/** The byte of a database file that says how it is read (https://sqlite.org/fileformat2.html): 1 without a write-ahead log. */
const READ_VERSION = 19;

/** An open database with its write-ahead log. */
export class OpenStore {
  readonly tables: StoreTables;
  /** The descriptor of the write-ahead log. */
  readonly walFile: number;
  /** The frames of the write-ahead log when the database was opened. */
  readonly foundFrames: number;
  readonly #path: string;
  /** The number of the database file in its file system. */
  readonly #inode: number | undefined;
  readonly #countFrames: StatementSync;
  readonly #moveFrames: StatementSync;
  #frames = 0;
  #moved = 0;

  /** @throws LogStartError, or an error of node:sqlite or of the file system */
  constructor(options: StoreTablesOptions) {
    const path = join(options.folder, DATABASE_FILE);
    this.#path = path;
    makePrivate(path);
    refuseMixed(options.folder, path);
    this.#inode = inodeOf(path);
    this.tables = new StoreTables(path, options);
    const { database, clock } = this.tables;
    try {
      this.#countFrames = database.prepare('PRAGMA wal_checkpoint(NOOP)');
      this.#moveFrames = database.prepare('PRAGMA wal_checkpoint(PASSIVE)');
      this.#measure();
      this.foundFrames = this.#frames;
      // Makes the file of the write-ahead log.
      database.transaction(() => database.setMeta('opened', clock.now()));
      this.walFile = openSync(`${path}-wal`, 'r+');
      this.#measure();
      // A process that was killed may have left commits without a sync, or with one that failed. From here on they are read, so they
      // have to last.
      this.#rewriteWal();
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** The frames of the write-ahead log. */
  get frames(): number {
    return this.#frames;
  }

  /** How many of the frames are not in the database file yet. */
  get framesToMove(): number {
    return this.#frames - this.#moved;
  }

  /** Whether the files still have their names: somebody may have removed or replaced them. True when that cannot be found out. */
  get isInPlace(): boolean {
    try {
      return (
        inodeOf(this.#path) === this.#inode && inodeOf(`${this.#path}-wal`) === fstatSync(this.walFile).ino
      );
    } catch {
      // The folder may have got other rights. The open files can be used all the same.
      return true;
    }
  }

  get walBytes(): number {
    return fstatSync(this.walFile).size;
  }

  /** The newest event; undefined when none was appended since the start. */
  get newestEvent(): WitnessedEvent | undefined {
    const facts = this.tables.appends.newest;
    if (facts === undefined || !hasRows(facts)) return undefined;
    return { channel: facts.number, ordinal: facts.next - 1, ms: facts.tailMs };
  }

  /** Does the work in a transaction of its own. When it fails, nothing has changed. */
  write<T>(work: () => T): T {
    const { database } = this.tables;
    try {
      const result = database.transaction(work);
      this.#measure();
      return result;
    } catch (error) {
      this.tables.dropCache();
      throw error;
    }
  }

  /**
   * A reader in another process, such as a copy that is being made, can keep frames in the write-ahead log.
   * @param rewrite whether the write-ahead log has to be written again first, because a sync of it has failed
   */
  checkpoint(rewrite = false): void {
    if (rewrite) this.#rewriteWal();
    this.#moveFrames.get();
    this.#measure();
    if (this.framesToMove > 0) fdatasyncSync(this.walFile);
  }

  /**
   * Writes the same bytes to the same places. After a failed sync the system takes them for written, and they may be missing on the
   * disk. The database must not get newer than that: after a power cut, SQLite would put older frames over newer pages.
   */
  #rewriteWal(): void {
    const chunk = Buffer.allocUnsafe(REWRITE_BYTES);
    for (let at = 0; ;) {
      const count = readSync(this.walFile, chunk, 0, REWRITE_BYTES, at);
      if (count === 0) break;
      for (let done = 0; done < count;) done += writeSync(this.walFile, chunk, done, count - done, at + done);
      at += count;
    }
    fdatasyncSync(this.walFile);
  }

  close(): void {
    this.closeWal();
    this.tables.database.close();
  }

  closeWal(): void {
    closeSync(this.walFile);
  }

  #measure(): void {
    const [, frames, moved] = this.#countFrames.get() as unknown as [number, number, number];
    this.#frames = frames;
    this.#moved = moved;
  }
}

/**
 * Refuses a copy by VACUUM INTO that was put beside the write-ahead log of another database: SQLite would read that one's pages. A
 * copy is a file without a write-ahead log until it is opened, and the log of a broker always has one.
 * @throws LogStartError
 */
function refuseMixed(folder: string, path: string): void {
  const walBytes = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (walBytes === 0 || readStart(path, READ_VERSION + 1)?.[READ_VERSION] !== 1) return;
  throw new LogStartError(
    `The folder ${folder} has a restored ${DATABASE_FILE}, and the ${DATABASE_FILE}-wal of another log. Put the copy alone into an empty folder.`,
  );
}

/** The number of the file in its file system; undefined when there is no such file. */
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
