import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { BrokerError } from '../../events/errors.ts';
import { HEALTHY } from '../event-log.ts';
import type { LogHealth } from '../event-log.ts';
import { diskAway, noAnswer } from './disk-failure.ts';
import type { DiskFailure } from './disk-failure.ts';
import { LogStartError } from './log-start-error.ts';
import { takeReplies } from './reply-batch.ts';
import type { ReplyTaker } from './reply-batch.ts';
import { RequestBatch } from './request-batch.ts';
import { SentRequests } from './sent-requests.ts';
import type { WaitingRead, WaitingWrite } from './sent-requests.ts';
import type { ReadAnswers, ReadRequest } from './storage-requests.ts';
import type { FromThread, ThreadData, ToThread } from './storage-thread.ts';
import type { StorageNotice, WriteOutcome } from './storage.ts';

export interface StorageClientOptions {
  readonly thread: ThreadData;
  readonly onNotice: (notice: StorageNotice) => void;
  /** Called when the health changes. */
  readonly onHealth: (health: LogHealth) => void;
  /** Called when the thread has ended by itself. What it had not answered may have been done. */
  readonly onLost: () => void;
  /** Called when another thread has taken its place. */
  readonly onReopened: () => void;
  readonly onCommitted: (events: number) => void;
  /** Called with the seconds of each sync. */
  readonly onSynced: (seconds: number) => void;
  /** The program of the thread. Only tests set it. */
  readonly program?: URL | undefined;
}

/** How long {@link StorageClient.close} waits for the thread, in ms. */
const CLOSE_DEADLINE_MS = 3_000;
/** Before another thread takes the place of one that has ended, in ms. Doubles up to the last. */
const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5_000;

/** Ends like this file: in `.ts`, and in `.js` in the package. */
const PROGRAM = new URL(`storage-thread${extname(import.meta.url)}`, import.meta.url);
const CLOSING = 'the broker is shutting down';

/**
 * The main thread's end of the storage thread. Sends the requests of one turn of the event loop in one message, and starts another
 * thread when the thread ends by itself.
 */
export class StorageClient implements ReplyTaker {
  readonly #options: StorageClientOptions;
  readonly #sent: SentRequests;
  readonly #batch = new RequestBatch();
  /** The thread that takes requests. */
  #worker: Worker | undefined;
  /** The thread that opens the storage. */
  #starting: Worker | undefined;
  #isFlushing = false;
  /** Why there is no thread now, for a person. */
  #whyLost = 'the storage thread is starting';
  /** Why the last attempt to start another thread has failed. Names the folder, so clients do not get it. */
  #unopened: string | undefined;
  /** Why writes fail, as the thread says. */
  #trouble: DiskFailure | undefined;
  #restartMs = FIRST_RESTART_MS;
  #restart: NodeJS.Timeout | undefined;
  #closed: Promise<boolean> | undefined;
  #onClosed: (() => void) | undefined;

  private constructor(options: StorageClientOptions) {
    this.#options = options;
    this.#sent = new SentRequests(() => options.onHealth(this.health));
  }

  /** @throws LogStartError when the folder cannot be used */
  static async open(options: StorageClientOptions): Promise<StorageClient> {
    const client = new StorageClient(options);
    await client.#start();
    client.#whyLost = 'the storage thread has ended, and another one begins';
    return client;
  }

  get health(): LogHealth {
    if (this.#worker === undefined) return down(diskAway(this.#unopened ?? this.#whyLost, true));
    if (this.#sent.suspect) return down(noAnswer(true));
    return this.#trouble === undefined ? HEALTHY : down(this.#trouble);
  }

  /**
   * Sends a write with the next message.
   * @param add adds the request with its ticket to the batch
   */
  write(
    waiting: WaitingWrite,
    events: number,
    bytes: number,
    add: (batch: RequestBatch, ticket: number) => void,
  ): void {
    const ticket = this.#whyNot() ?? this.#sent.addWrite(waiting, events, bytes);
    if (typeof ticket !== 'number') return waiting.failed(ticket);
    add(this.#batch, ticket);
    this.#flushSoon();
  }

  /** Sends a question with the next message. */
  read(waiting: WaitingRead, request: ReadRequest): void {
    const ticket = this.#whyNot() ?? this.#sent.addRead(waiting);
    if (typeof ticket !== 'number') return waiting.failed(ticket);
    this.#batch.read(ticket, request);
    this.#flushSoon();
  }

  /** Asks the storage. @param errorOf makes the error of a failure */
  ask<K extends ReadRequest['kind']>(
    request: Extract<ReadRequest, { kind: K }>,
    errorOf: (failure: DiskFailure) => Error,
  ): Promise<ReadAnswers[K]> {
    const { promise, resolve, reject } = Promise.withResolvers<ReadAnswers[K]>();
    this.read(
      {
        answered: (answer) => resolve(answer as ReadAnswers[K]),
        failed: (failure) => reject(failure instanceof Error ? failure : errorOf(failure)),
      },
      request,
    );
    return promise;
  }

  /**
   * Lets the thread finish the writes that wait, and ends it. Takes a few seconds at most.
   * @returns whether the thread has closed the storage
   */
  close(): Promise<boolean> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  outcome(ticket: number, outcome: WriteOutcome): void {
    this.#sent.outcome(ticket, outcome);
  }

  failure(ticket: number, failure: DiskFailure): void {
    this.#sent.failure(ticket, failure);
  }

  answer(ticket: number, answer: unknown): void {
    this.#sent.answer(ticket, answer);
  }

  refused(ticket: number, error: BrokerError): void {
    this.#sent.refused(ticket, error);
  }

  troubled(trouble: DiskFailure | undefined): void {
    this.#trouble = trouble;
    this.#options.onHealth(this.health);
  }

  committed(events: number): void {
    this.#options.onCommitted(events);
  }

  synced(seconds: number): void {
    this.#options.onSynced(seconds);
  }

  #whyNot(): DiskFailure | undefined {
    if (this.#closed !== undefined) return diskAway(CLOSING, false);
    return this.#worker === undefined ? diskAway(this.#whyLost, false) : undefined;
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    const message = this.#batch.take();
    if (message.fields.length > 0) post(this.#worker, message, [message.records.buffer]);
  }

  async #start(): Promise<void> {
    const worker = new Worker(this.#options.program ?? PROGRAM, {
      workerData: this.#options.thread,
      name: 'storage',
      // Node 22 calls node:sqlite experimental.
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#starting = worker;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.on('message', (message: FromThread) => {
      if (message === 'open') resolve();
      else if ('fields' in message) takeReplies(message, this);
      else if ('notice' in message) this.#options.onNotice(message.notice);
      else if ('closed' in message) this.#onClosed?.();
      else reject(startError(message.unopened));
    });
    worker.on('error', (error: Error) => {
      this.#whyLost = `the storage thread has ended (${error.message}), and another one begins`;
      reject(error);
    });
    worker.once('exit', () => {
      reject(new Error('the storage thread has ended'));
      if (this.#worker === worker) this.#lost();
      else this.#onClosed?.();
    });
    await promise.finally(() => {
      if (this.#closed === undefined) this.#starting = undefined;
    });
    this.#trouble = undefined;
    this.#worker = worker;
  }

  /** The thread has ended by itself. */
  #lost(): void {
    this.#worker = undefined;
    this.#onClosed?.();
    this.#batch.take();
    this.#sent.giveUp(this.#whyLost);
    if (this.#closed !== undefined) return;
    this.#options.onHealth(this.health);
    this.#options.onLost();
    this.#startAgain();
  }

  #startAgain(): void {
    this.#restart = setTimeout(() => {
      this.#start().then(
        () => {
          if (this.#closed !== undefined) return;
          this.#unopened = undefined;
          this.#restartMs = FIRST_RESTART_MS;
          this.#options.onHealth(this.health);
          this.#options.onReopened();
        },
        (error: unknown) => {
          if (this.#closed !== undefined) return;
          this.#unopened = (error as Error).message;
          this.#options.onHealth(this.health);
          this.#startAgain();
        },
      );
    }, this.#restartMs);
    this.#restartMs = Math.min(this.#restartMs * 2, LAST_RESTART_MS);
  }

  async #close(): Promise<boolean> {
    clearTimeout(this.#restart);
    const worker = this.#worker ?? this.#starting;
    if (worker === undefined) return true;
    this.#flush();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#onClosed = () => resolve(true);
    const timer = setTimeout(() => resolve(false), CLOSE_DEADLINE_MS);
    post(worker, 'close', []);
    const isOrderly = await promise;
    clearTimeout(timer);
    this.#sent.giveUp(CLOSING);
    // Does not wait: a thread that hangs in a system call ends when the call does.
    worker.unref();
    void worker.terminate();
    return isOrderly;
  }
}

function post(worker: Worker | undefined, message: ToThread, transfer: readonly ArrayBuffer[]): void {
  worker?.postMessage(message, transfer);
}

function startError({
  message,
  isExpected,
}: {
  readonly message: string;
  readonly isExpected: boolean;
}): Error {
  return isExpected ? new LogStartError(message) : new Error(message);
}

function down({ trouble, detail }: DiskFailure): LogHealth {
  return { up: false, reason: trouble, detail, slotsDown: 0 };
}
