import { BrokerError } from '../events/errors.ts';
import type { EventId, NewEvent } from '../events/event.ts';
import type { Appended } from '../log/event-log.ts';
import { withMembers } from './append-many.ts';
import type { UploadParser } from './upload-parser.ts';

export interface UploadOptions {
  readonly parser: UploadParser;
  /** Appends a page of events, or the end of the channel without events. */
  readonly append: (page: UploadPage) => readonly Appended[] | Promise<readonly Appended[]>;
  /** Counts events against the rates, and checks that the publisher may still publish. Returns the error if not. */
  readonly refusalOf: (events: number) => BrokerError | undefined | Promise<BrokerError | undefined>;
  /** Does a piece of work in a turn of the event loop that has time. */
  readonly inTurn: <T>(work: () => T) => Promise<T>;
  /** Whether the channel ends with the upload. */
  readonly end: boolean;
  /** The first event is appended only if this is the channel's tail. */
  readonly ifLast: EventId | undefined;
}

interface UploadPage {
  readonly events: readonly NewEvent[];
  /** The position of the first event in the upload. */
  readonly firstPosition: number;
  readonly ifLast: EventId | undefined;
  readonly end: boolean;
}

export interface UploadResult {
  readonly published: number;
  /** The ids of the first and the last event; undefined when the upload had none. */
  readonly first: EventId | undefined;
  readonly last: EventId | undefined;
  /** Whether every event had been published before, with the same idempotency key. */
  readonly replayed: boolean;
}

/** The memory of received bytes that were not read yet, in bytes. With more, the upload wants no more bytes for now. */
const MAX_WAITING_BYTES = 128 * 1024;

/**
 * Publishes an upload as it arrives. While the log takes one page of events, the next events arrive, and become the next page.
 * So a slow upload has each event appended at once, and a fast one has many appended in one step.
 */
export class Upload {
  /** Resolves when all is published. Rejects with the number of published events (`published`) in the problem document. */
  readonly result: Promise<UploadResult>;
  /** Called when the upload wants bytes again, after {@link write} has returned false. */
  onDrain: () => void = () => undefined;
  /** Called when {@link held} has changed. */
  onHeld: () => void = () => undefined;
  readonly #options: UploadOptions;
  #state: 'arriving' | 'complete' | 'broken' = 'arriving';
  #stopped: BrokerError | undefined;
  #full = false;
  #wake: () => void = () => undefined;
  #published = 0;
  #replayed = 0;
  #first: EventId | undefined;
  #last: EventId | undefined;

  constructor(options: UploadOptions) {
    this.#options = options;
    this.result = this.#run();
  }

  /** Whether the sender has to wait until {@link onDrain}. */
  get isFull(): boolean {
    return this.#full;
  }

  /** About the memory of the bytes that are not part of a whole event yet. */
  get held(): number {
    return this.#options.parser.held;
  }

  /** Returns false when the upload wants no more bytes for now. */
  write(chunk: Buffer): boolean {
    this.#options.parser.push(chunk);
    this.#full = this.#options.parser.waiting > MAX_WAITING_BYTES;
    this.onHeld();
    this.#wake();
    return !this.#full;
  }

  /** All bytes have arrived. */
  complete(): void {
    if (this.#state === 'arriving') this.#state = 'complete';
    this.#wake();
  }

  /** No more bytes come, because the connection broke off. The complete events are published, and the channel does not end. */
  breakOff(): void {
    if (this.#state === 'arriving') this.#state = 'broken';
    this.#wake();
  }

  /** Publishes no further page, and rejects the result with this error. */
  stop(error: BrokerError): void {
    this.#stopped ??= error;
    this.#wake();
  }

  async #run(): Promise<UploadResult> {
    try {
      await this.#publishAll();
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error;
      const message = `${error.message} Events of the upload in the log: ${this.#published}.`;
      throw withMembers(error, message, { published: this.#published });
    }
    return {
      published: this.#published,
      first: this.#first,
      last: this.#last,
      replayed: this.#published > 0 && this.#replayed === this.#published,
    };
  }

  async #publishAll(): Promise<void> {
    const { parser, end, inTurn } = this.#options;
    for (;;) {
      if (this.#stopped !== undefined) throw this.#stopped;
      const arrived = this.#state;
      const events = parser.waiting === 0 ? parser.take() : await inTurn(() => parser.take());
      this.onHeld();
      this.#drain();
      if (events.length > 0) {
        await this.#append(events);
        continue;
      }
      parser.refuseFault();
      if (parser.waiting > 0) continue;
      if (arrived === 'arriving') {
        await this.#arrival();
        continue;
      }
      if (arrived === 'broken') throw new BrokerError('bad-request', 'The upload broke off.');
      const rest = parser.takeRest();
      parser.refuseFault();
      if (rest.length > 0) await this.#append(rest);
      if (end) await this.#append([], true);
      return;
    }
  }

  /** Resolves when more bytes have come, or when none will come. */
  #arrival(): Promise<void> {
    if (this.#stopped !== undefined || this.#state !== 'arriving' || this.#options.parser.waiting > 0)
      return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #drain(): void {
    if (!this.#full || this.#options.parser.waiting > MAX_WAITING_BYTES / 2) return;
    this.#full = false;
    this.onDrain();
  }

  async #append(events: readonly NewEvent[], end = false): Promise<void> {
    const refusal = await this.#options.refusalOf(events.length);
    if (refusal !== undefined) throw refusal;
    const { ifLast } = this.#options;
    if (this.#published > 0 || ifLast === undefined) return await this.#appendPage(events, undefined, end);
    // The condition concerns the first event alone: when an earlier upload with the same key has published that event, the
    // condition no longer holds, and the other events are published.
    await this.#appendPage(events.slice(0, 1), ifLast, end);
    if (events.length > 1) await this.#appendPage(events.slice(1), undefined, end);
  }

  async #appendPage(events: readonly NewEvent[], ifLast: EventId | undefined, end: boolean): Promise<void> {
    const appended = await this.#options.append({ events, firstPosition: this.#published, ifLast, end });
    if (events.length === 0) return;
    for (const { replayed } of appended) if (replayed) this.#replayed++;
    this.#published += appended.length;
    this.#first ??= appended[0]?.id;
    this.#last = appended.at(-1)?.id;
  }
}
