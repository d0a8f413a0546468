import { fdatasync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { GroupCommit } from './group-commit.ts';
import { LogStartError } from './log-start-error.ts';
import { LogStore } from './log-store.ts';
import { ReplyBatch } from './reply-batch.ts';
import type { ReplyMessage } from './reply-batch.ts';
import { takeRequests } from './request-batch.ts';
import type { RequestMessage } from './request-batch.ts';
import type { StorageNotice, StorageOptions } from './storage.ts';

/** What the thread gets at its start. */
export interface ThreadData {
  readonly storage: Omit<StorageOptions, 'onNotice'>;
  readonly pace: 'always' | '1s';
}

/** What the main thread sends. */
export type ToThread = RequestMessage | 'close';

/** What the thread sends. */
export type FromThread =
  | ReplyMessage
  | { readonly notice: StorageNotice }
  /** The storage is open, or why it cannot be opened. Comes first, but for notices. */
  | 'open'
  | { readonly unopened: { readonly message: string; readonly isExpected: boolean } }
  /** The answer to `close`. */
  | { readonly closed: string | undefined };

/** The entry of the storage thread: opens the database, and does what the main thread asks for. */
function main(): void {
  const { storage: options, pace } = workerData as ThreadData;
  let storage: LogStore;
  try {
    storage = new LogStore({ ...options, onNotice: (notice) => post({ notice }) });
  } catch (error) {
    post({ unopened: startFailure(error, options.folder) });
    return;
  }
  const commits = new GroupCommit({
    storage,
    pace,
    sync: (done) => fdatasync(storage.walFile, done),
    replies: new ReplyBatch(post),
  });
  parentPort?.on('message', (message: ToThread) => {
    if (message === 'close')
      commits.close((error) => {
        post({ closed: error?.message });
        parentPort?.close();
      });
    else {
      takeRequests(message, commits);
      commits.turn();
    }
  });
  post('open');
}

function post(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer]);
}

/** Describes why the log was not opened. An error of the disk is expected; its message gets what to do. */
function startFailure(
  error: unknown,
  folder: string,
): { readonly message: string; readonly isExpected: boolean } {
  const { message, code, syscall } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_SQLITE_ERROR' && syscall === undefined)
    return { message, isExpected: error instanceof LogStartError };
  const advice = 'Check the disk, and make room if it is full.';
  return { message: `The log in ${folder} cannot be opened (${message}). ${advice}`, isExpected: true };
}

main();
