import type { BrokerError } from '../../events/errors.ts';
import { diskAway, noAnswer } from './disk-failure.ts';
import type { DiskFailure } from './disk-failure.ts';
import type { WriteOutcome } from './storage.ts';

/** Waits for the reply to a write. */
export interface WaitingWrite {
  /** May be called after {@link failed}, when the outcome comes late. */
  done(outcome: WriteOutcome): void;
  /** Called at most once. */
  failed(error: DiskFailure | BrokerError): void;
}

/** Waits for the answer to a question. One of the two is called, once. */
export interface WaitingRead {
  answered(answer: unknown): void;
  failed(error: DiskFailure | BrokerError): void;
}

interface SentWrite {
  readonly waiting: WaitingWrite;
  readonly events: number;
  readonly bytes: number;
  readonly sentAt: number;
  failed: boolean;
}

interface SentRead {
  /** Undefined when nobody waits any longer. */
  waiting: WaitingRead | undefined;
  readonly sentAt: number;
}

/** How long a write waits for its outcome, in ms. With {@link SWEEP_MS} it is under a second. */
const WRITE_DEADLINE_MS = 700;
/** How long a question waits for its answer, in ms. */
const READ_DEADLINE_MS = 5_000;
/** How often requests that are too old are searched for, in ms. */
const SWEEP_MS = 100;
/** What may wait for the thread. A single append may be larger. */
const MAX_EVENTS = 65_536;
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_READS = 100_000;

/** The requests that the storage thread has not answered, by their tickets. Bounds them, and gives up on those that are too old. */
export class SentRequests {
  readonly #onSuspect: () => void;
  readonly #writes = new Map<number, SentWrite>();
  readonly #reads = new Map<number, SentRead>();
  #events = 0;
  #bytes = 0;
  #lastTicket = 0;
  #sweeping: NodeJS.Timeout | undefined;
  #suspect = false;

  /** @param onSuspect called when a write begins to have no answer in time, and when an answer comes again */
  constructor(onSuspect: () => void) {
    this.#onSuspect = onSuspect;
  }

  /** Whether a write has had no answer in time, and none has had one since. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Returns the ticket of the write; a failure when it cannot be sent now. */
  addWrite(waiting: WaitingWrite, events: number, bytes: number): number | DiskFailure {
    if (this.#suspect) return noAnswer(false);
    if (this.#writes.size > 0 && (this.#events + events > MAX_EVENTS || this.#bytes + bytes > MAX_BYTES))
      return diskAway('more events wait for the disk than it can take', false);
    this.#events += events;
    this.#bytes += bytes;
    const ticket = ++this.#lastTicket;
    this.#writes.set(ticket, { waiting, events, bytes, sentAt: this.#now(), failed: false });
    return ticket;
  }

  /** Returns the ticket of the question; a failure when it cannot be sent now. */
  addRead(waiting: WaitingRead): number | DiskFailure {
    if (this.#reads.size >= MAX_READS)
      return diskAway('more questions wait for the disk than it can answer', false);
    const ticket = ++this.#lastTicket;
    this.#reads.set(ticket, { waiting, sentAt: this.#now() });
    return ticket;
  }

  outcome(ticket: number, outcome: WriteOutcome): void {
    this.#answers();
    this.#takeWrite(ticket)?.waiting.done(outcome);
  }

  failure(ticket: number, failure: DiskFailure): void {
    if (this.#reads.has(ticket)) return this.refused(ticket, failure);
    this.#answers();
    // The outcome of a write that may have been done can come later, and its events then have to be announced.
    const write = failure.mayBeDone ? this.#writes.get(ticket) : this.#takeWrite(ticket);
    if (write !== undefined) failOnce(write, failure);
  }

  answer(ticket: number, answer: unknown): void {
    this.#takeRead(ticket)?.answered(answer);
  }

  refused(ticket: number, error: BrokerError | DiskFailure): void {
    this.#takeRead(ticket)?.failed(error);
  }

  /** Gives up on all requests: no reply will come. */
  giveUp(detail: string): void {
    const writes = [...this.#writes.values()];
    const reads = [...this.#reads.values()];
    this.#writes.clear();
    this.#reads.clear();
    this.#events = 0;
    this.#bytes = 0;
    clearTimeout(this.#sweeping);
    this.#sweeping = undefined;
    for (const write of writes) failOnce(write, diskAway(detail, true));
    for (const { waiting } of reads) waiting?.failed(diskAway(detail, false));
    this.#suspect = false;
  }

  #takeWrite(ticket: number): SentWrite | undefined {
    const write = this.#writes.get(ticket);
    if (write === undefined) return undefined;
    this.#writes.delete(ticket);
    this.#events -= write.events;
    this.#bytes -= write.bytes;
    return write;
  }

  #takeRead(ticket: number): WaitingRead | undefined {
    const waiting = this.#reads.get(ticket)?.waiting;
    this.#reads.delete(ticket);
    return waiting;
  }

  /** The time now. Sees to it that requests that become too old are noticed. */
  #now(): number {
    this.#sweeping ??= setTimeout(() => {
      // Replies that have arrived already are taken first: this thread itself may have been busy.
      setImmediate(() => this.#sweep());
    }, SWEEP_MS);
    return performance.now();
  }

  #sweep(): void {
    if (this.#sweeping === undefined) return;
    this.#sweeping = undefined;
    const now = performance.now();
    // Both maps have the oldest request first.
    for (const write of this.#writes.values()) {
      if (now - write.sentAt < WRITE_DEADLINE_MS) break;
      if (write.failed) continue;
      failOnce(write, noAnswer(true));
      if (this.#suspect) continue;
      this.#suspect = true;
      this.#onSuspect();
    }
    for (const read of this.#reads.values()) {
      if (now - read.sentAt < READ_DEADLINE_MS) break;
      const { waiting } = read;
      read.waiting = undefined;
      waiting?.failed(noAnswer(false));
    }
    if (this.#writes.size > 0 || this.#reads.size > 0) this.#now();
  }

  #answers(): void {
    if (!this.#suspect) return;
    this.#suspect = false;
    this.#onSuspect();
  }
}

function failOnce(write: SentWrite, failure: DiskFailure): void {
  if (write.failed) return;
  write.failed = true;
  write.waiting.failed(failure);
}
