import { closeSync, existsSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DATABASE_FILE } from './schema.ts';

const WITNESS_FILE = 'sluice.witness';
/** The salts of the write-ahead log (8 bytes), its frames, the channel and the ordinal of an event, its time, and a checksum. */
const WITNESS_BYTES = 36;
/** https://sqlite.org/fileformat2.html#walformat */
const WAL_HEADER_BYTES = 32;
const WAL_MAGIC = 0x377f_0682;
const SALTS = 16;
const SALTS_END = 24;
const CHECKSUMS = 24;

/** An event that was in the database when it was last synced. */
export interface WitnessedEvent {
  readonly channel: number;
  readonly ordinal: number;
  /** The time in its id. */
  readonly ms: number;
}

/**
 * Remembers how long the write-ahead log was when it was last synced. When a byte of the write-ahead log is damaged, SQLite drops all
 * commits from there on, and says nothing. The witness makes this visible at the next start.
 *
 * The file of the witness is written after each sync, and not synced itself. So after a power cut it may be older than the
 * write-ahead log, and says less than it could. It can never say too much: the salts change when the write-ahead log begins anew,
 * and SQLite syncs the new salts before it overwrites anything.
 */
export class WalWitness {
  /** Whether a log has been in the folder before, also when the file is damaged. */
  readonly hasFile: boolean;
  readonly #path: string;
  #file: number | undefined;
  readonly #buffer = Buffer.alloc(WITNESS_BYTES);
  readonly #header = Buffer.alloc(WAL_HEADER_BYTES);
  readonly #claim: Buffer | undefined;
  /** The head of the write-ahead log before SQLite opened it; undefined when there was none, or when it was damaged. */
  readonly #found: Buffer | undefined;

  /** To be called before SQLite opens the database. */
  constructor(folder: string) {
    const header = readStart(join(folder, `${DATABASE_FILE}-wal`), WAL_HEADER_BYTES);
    if (header !== undefined && isValidHeader(header)) this.#found = header;
    this.#path = join(folder, WITNESS_FILE);
    this.hasFile = existsSync(this.#path);
    const claim = readStart(this.#path, WITNESS_BYTES);
    if (claim !== undefined && checksumOf(claim) === claim.readUInt32LE(WITNESS_BYTES - 4))
      this.#claim = claim;
  }

  /**
   * Whether synced commits are missing.
   * @param frames how many frames of the write-ahead log SQLite has accepted
   * @param hasEvent whether the database has that event
   */
  misses(frames: number, hasEvent: (event: WitnessedEvent) => boolean): boolean {
    const claim = this.#claim;
    if (claim === undefined) return false;
    const found = this.#found;
    if (found === undefined) {
      // The write-ahead log was moved into the database, or it is lost. The newest event of that time tells which.
      const event = this.event;
      return event !== undefined && !hasEvent(event);
    }
    const isSame = found.subarray(SALTS, SALTS_END).equals(claim.subarray(0, 8));
    return isSame && frames < claim.readUInt32LE(8);
  }

  /** The newest event at the last sync; undefined when no event was appended before it. */
  get event(): WitnessedEvent | undefined {
    const claim = this.#claim;
    if (claim === undefined || claim.readUInt32LE(12) === 0) return undefined;
    return { channel: claim.readUInt32LE(12), ordinal: claim.readDoubleLE(16), ms: claim.readDoubleLE(24) };
  }

  /**
   * Remembers the present write-ahead log. All of it is synced.
   * @param walFile its descriptor
   * @param event the newest event
   */
  write(walFile: number, frames: number, event: WitnessedEvent | undefined): void {
    readSync(walFile, this.#header, 0, WAL_HEADER_BYTES, 0);
    const buffer = this.#buffer;
    this.#header.copy(buffer, 0, SALTS, SALTS_END);
    buffer.writeUInt32LE(frames, 8);
    buffer.writeUInt32LE(event?.channel ?? 0, 12);
    buffer.writeDoubleLE(event?.ordinal ?? 0, 16);
    buffer.writeDoubleLE(event?.ms ?? 0, 24);
    this.#write();
  }

  /** Withdraws the claim. To be called before the write-ahead log is removed. */
  withdraw(): void {
    this.#buffer.fill(0);
    fdatasyncSync(this.#write());
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
  }

  /** Writes the file. Returns its descriptor. */
  #write(): number {
    this.#buffer.writeUInt32LE(checksumOf(this.#buffer), WITNESS_BYTES - 4);
    // Not before: a folder whose log cannot be opened stays as it is.
    const file = (this.#file ??= openFile(this.#path));
    writeSync(file, this.#buffer, 0, WITNESS_BYTES, 0);
    return file;
  }
}

function checksumOf(witness: Buffer): number {
  return crc32(witness.subarray(0, WITNESS_BYTES - 4));
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return openSync(path, 'w+', 0o600);
  }
}

/** Returns the first bytes of a file; undefined when the file is missing or shorter. */
export function readStart(path: string, length: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
  try {
    const start = Buffer.alloc(length);
    return readSync(file, start, 0, length, 0) === length ? start : undefined;
  } finally {
    closeSync(file);
  }
}

/** Whether the checksum of the head is right, as SQLite decides it. */
function isValidHeader(header: Buffer): boolean {
  const magic = header.readUInt32BE(0);
  if ((magic & ~1) !== WAL_MAGIC) return false;
  const word = (at: number): number =>
    (magic & 1) === 1 ? header.readUInt32BE(at) : header.readUInt32LE(at);
  let first = 0;
  let second = 0;
  for (let at = 0; at < CHECKSUMS; at += 8) {
    first = (first + word(at) + second) >>> 0;
    second = (second + word(at + 4) + first) >>> 0;
  }
  return first === header.readUInt32BE(CHECKSUMS) && second === header.readUInt32BE(CHECKSUMS + 4);
}
