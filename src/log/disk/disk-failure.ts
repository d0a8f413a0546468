import { BrokerError } from '../../events/errors.ts';
import type { LogTrouble } from '../../events/log-trouble.ts';
import type { FailureWords } from '../failure-words.ts';

/** Why the storage could not do a request. Can be posted between threads. */
export interface DiskFailure {
  readonly code: 'log-unavailable' | 'log-full';
  readonly trouble: LogTrouble;
  /** One line for the log of the broker. */
  readonly detail: string;
  /** Whether the request may have been done. */
  readonly mayBeDone: boolean;
}

/** SQLITE_FULL (https://www.sqlite.org/rescode.html#full): the disk or the database has no room. */
const SQLITE_FULL = 13;
/** A sync has failed: of the write-ahead log, of the database, or of the folder. */
const SQLITE_IOERR_FSYNC = 1_034;
const SQLITE_IOERR_DIR_FSYNC = 1_290;
/** The lowest byte of an extended result code is the primary one. */
const PRIMARY = 0xff;
const MAX_WORDS = 200;

/** Describes an error of node:sqlite or node:fs. */
export function diskFailure(error: unknown, mayBeDone = false): DiskFailure {
  const { errcode, code, message } = error as NodeJS.ErrnoException & { errcode?: number };
  const isFull = (errcode !== undefined && (errcode & PRIMARY) === SQLITE_FULL) || code === 'ENOSPC';
  const detail = (message.split(/[\r\n]/, 1)[0] ?? '').slice(0, MAX_WORDS);
  return { code: isFull ? 'log-full' : 'log-unavailable', trouble: 'disk', detail, mayBeDone };
}

/** Whether a checkpoint has failed to sync, so that what was written before may be missing on the disk. */
export function isSyncFailure(error: unknown): boolean {
  const { errcode, code } = error as NodeJS.ErrnoException & { errcode?: number };
  // The error of another system call than SQLite's is one of fdatasync.
  if (errcode === undefined) return code !== undefined;
  return errcode === SQLITE_IOERR_FSYNC || errcode === SQLITE_IOERR_DIR_FSYNC;
}

/** The failure of a request that the disk has not answered in time. */
export function noAnswer(mayBeDone: boolean): DiskFailure {
  return {
    code: 'log-unavailable',
    trouble: 'timeout',
    detail: 'the disk does not answer in time',
    mayBeDone,
  };
}

/** The failure of a request that cannot be sent to the storage, or whose answer got lost. */
export function diskAway(detail: string, mayBeDone: boolean): DiskFailure {
  return { code: 'log-unavailable', trouble: 'disk', detail, mayBeDone };
}

/** @param words what the client that sent the request is to do next */
export function failureError(failure: DiskFailure, words: FailureWords): BrokerError {
  const { code, trouble, detail, mayBeDone } = failure;
  const why = code === 'log-full' ? 'The disk of the log is full.' : sentenceOf(trouble, detail);
  const next = mayBeDone ? words.unknown : `${words.nothingDone} ${words.next}`;
  return new BrokerError(code, `${why} ${next}`, { trouble });
}

function sentenceOf(trouble: LogTrouble, detail: string): string {
  return trouble === 'timeout'
    ? 'The disk of the log did not answer in time.'
    : `The log on disk: ${detail}.`;
}
