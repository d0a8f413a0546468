import { accessSync, chmodSync, closeSync, constants, openSync, statSync, truncateSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDamage } from './damage.ts';
import { LogStartError } from './log-start-error.ts';

const LOCK_FILE = 'sluice.lock';
const CHOOSE = 'or set SLUICE_DATA_DIR to another folder.';

/**
 * Keeps a second process out of the folder. The lock is an exclusive transaction on an empty database of its own, so the system takes
 * it back when the process dies, and other programs can still copy the log's database.
 */
export class FolderLock {
  readonly #sqlite: DatabaseSync;

  /** @throws LogStartError when the folder cannot be used */
  constructor(folder: string) {
    refuseUnusable(folder);
    const file = join(folder, LOCK_FILE);
    try {
      makePrivate(file);
      this.#sqlite = lock(file);
    } catch (error) {
      const isTaken = error instanceof Error && /locked|busy/.test(error.message);
      if (!isTaken) throw unwritable(folder, error);
      throw new LogStartError(
        `Another process of Sluice uses the folder ${folder}. Stop that process, ${CHOOSE}`,
        { cause: error },
      );
    }
  }

  release(): void {
    this.#sqlite.close();
  }
}

/**
 * Makes a file that only its owner can read, or takes the rights of others from an existing one, such as a restored
 * backup. SQLite gives its other files the same rights. An existing file is not opened: closing it would drop the locks
 * that SQLite holds on it.
 */
export function makePrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    takeRights(file);
  }
}

function takeRights(file: string): void {
  try {
    const stats = statSync(file);
    if (stats.isFile() && (stats.mode & 0o077) !== 0) chmodSync(file, 0o600);
  } catch {
    // The file belongs to another user, who decides.
  }
}

function lock(path: string): DatabaseSync {
  try {
    return openLocked(path);
  } catch (error) {
    if (!isDamage(error)) throw error;
    // The file is empty but for damaged bytes. No other process has the lock: that comes before the bytes are read.
    truncateSync(path);
    return openLocked(path);
  }
}

function openLocked(path: string): DatabaseSync {
  const sqlite = new DatabaseSync(path);
  try {
    sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function refuseUnusable(folder: string): void {
  let stats: Stats;
  try {
    stats = statSync(folder);
  } catch (error) {
    throw new LogStartError(
      `The folder ${folder} cannot be opened (${errorCode(error)}). Make it with "mkdir -p ${folder}", ${CHOOSE}`,
      { cause: error },
    );
  }
  if (!stats.isDirectory())
    throw new LogStartError(`${folder} is not a folder. Move the file away, ${CHOOSE}`);
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

function unwritable(folder: string, cause: unknown): LogStartError {
  return new LogStartError(
    `The folder ${folder} cannot be written (${errorCode(cause)}). Let the user of this process write to it, ${CHOOSE}`,
    { cause },
  );
}

function errorCode(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined || code === 'ERR_SQLITE_ERROR' ? message : code;
}
