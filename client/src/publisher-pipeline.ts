import { Batch, Flight } from './publisher-batch.ts';
import { timeoutError } from './publisher-delivery.ts';
import type { Published, PublisherDelivery } from './publisher-delivery.ts';
import { SluicePublishError } from './publisher-error.ts';
import type { EventLine } from './publisher-event.ts';
import { PublisherQueue } from './publisher-queue.ts';
import type { BatchLimits, QueuedEvent } from './publisher-queue.ts';

export interface PipelineLimits extends BatchLimits {
  readonly maxQueuedEvents: number;
  readonly maxQueuedBytes: number;
  readonly maxRequests: number;
  readonly lingerMs: number;
  readonly timeoutMs: number;
}

/** Holds the events of a publisher until they are acknowledged, and decides which of them go when. */
export class PublisherPipeline {
  readonly #limits: PipelineLimits;
  readonly #delivery: PublisherDelivery;
  readonly #queue: PublisherQueue;
  /** The events without a result, oldest first. */
  readonly #pending = new Set<QueuedEvent>();
  #bytes = 0;
  #number = 0;
  #requests = 0;
  /** Calls off the next {@link #pump}; undefined when none is to come. */
  #unschedule: (() => void) | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #waitForRoom: (() => void)[] = [];
  #waitForFlush: { readonly number: number; readonly resolve: () => void }[] = [];

  constructor(limits: PipelineLimits, delivery: PublisherDelivery) {
    this.#limits = limits;
    this.#delivery = delivery;
    this.#queue = new PublisherQueue(limits);
  }

  /** @throws SluicePublishError at once with `queue-full` or `body-too-large`, and the reason of the signal */
  publish(line: EventLine, signal: AbortSignal | undefined): Promise<Published> {
    signal?.throwIfAborted();
    this.#refuse(line);
    // Not `Promise.withResolvers`, which Node 20 does not have.
    let resolve!: (published: Published) => void;
    let reject!: (error: unknown) => void;
    const promise = new Promise<Published>((...settlers) => ([resolve, reject] = settlers));
    const settle = (report: () => void): void => {
      if (event.settled) return;
      signal?.removeEventListener('abort', withdraw);
      this.#forget(event);
      report();
    };
    const event: QueuedEvent = {
      ...line,
      number: ++this.#number,
      expiresAt: performance.now() + this.#limits.timeoutMs,
      batch: undefined,
      settled: false,
      acknowledge: (id) => settle(() => resolve({ channel: line.channel, id })),
      refuse: (error) => settle(() => reject(error)),
    };
    const withdraw = (): void => {
      event.refuse(signal?.reason);
      this.#checkFlush();
    };
    signal?.addEventListener('abort', withdraw, { once: true });
    this.#pending.add(event);
    this.#bytes += line.bytes;
    this.#queue.add(event);
    this.#watchExpiry();
    this.#schedule();
    return promise;
  }

  /** Resolves when there is room for an event. */
  async ready(): Promise<void> {
    if (this.#isFull) await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  /** Resolves when every event that was published so far has its result. */
  async flush(): Promise<void> {
    if (this.#pending.size === 0) return;
    this.#schedule(0);
    await new Promise<void>((resolve) => this.#waitForFlush.push({ number: this.#number, resolve }));
  }

  get #isFull(): boolean {
    const { maxQueuedEvents, maxQueuedBytes } = this.#limits;
    return this.#pending.size >= maxQueuedEvents || this.#bytes >= maxQueuedBytes;
  }

  #refuse({ bytes }: EventLine): void {
    const { maxBatchBytes } = this.#limits;
    if (bytes > maxBatchBytes) {
      const detail = `The event takes ${bytes} bytes, and maxBatchBytes is ${maxBatchBytes}.`;
      throw new SluicePublishError('body-too-large', { detail });
    }
    if (!this.#isFull) return;
    const detail = `${this.#pending.size} events wait already. Await ready() before the next publish.`;
    throw new SluicePublishError('queue-full', { detail });
  }

  /** The event has its result. */
  #forget(event: QueuedEvent): void {
    event.settled = true;
    this.#pending.delete(event);
    this.#bytes -= event.bytes;
    if (event.batch === undefined) this.#queue.remove(event);
    else event.batch.flight.left();
    if (this.#pending.size === 0) {
      clearTimeout(this.#expiry);
      this.#expiry = undefined;
    }
    if (this.#waitForRoom.length === 0 || this.#isFull) return;
    for (const resolve of this.#waitForRoom) resolve();
    this.#waitForRoom = [];
  }

  /** Not called for each result: the set of pending events is slow to find its first one while many are removed. */
  #checkFlush(): void {
    if (this.#waitForFlush.length === 0) return;
    const [first] = this.#pending;
    const number = first?.number ?? Infinity;
    for (const waiting of this.#waitForFlush) if (waiting.number < number) waiting.resolve();
    this.#waitForFlush = this.#waitForFlush.filter((waiting) => waiting.number >= number);
  }

  /** Events of one turn of the event loop go together, and those of `lingerMs`. */
  #schedule(lingerMs = this.#queue.fillsBatch ? 0 : this.#limits.lingerMs): void {
    if (this.#unschedule !== undefined) {
      if (this.#limits.lingerMs === 0 || lingerMs > 0) return;
      this.#unschedule();
    }
    const pump = (): void => this.#pump();
    if (lingerMs > 0) {
      const timer = setTimeout(pump, lingerMs);
      this.#unschedule = () => clearTimeout(timer);
    } else {
      const immediate = setImmediate(pump);
      this.#unschedule = () => clearImmediate(immediate);
    }
  }

  #pump(): void {
    this.#unschedule = undefined;
    while (this.#requests < this.#limits.maxRequests) {
      const events = this.#queue.take();
      if (events.length === 0) return;
      void this.#deliver(events);
    }
  }

  async #deliver(events: readonly QueuedEvent[]): Promise<void> {
    this.#requests++;
    try {
      await this.#delivery.deliver(new Batch(events, new Flight(events.length)));
    } catch (error) {
      for (const event of events) event.refuse(error);
    }
    this.#requests--;
    this.#queue.release(events);
    this.#checkFlush();
    this.#schedule(0);
  }

  /** All events wait equally long, so one timer for the oldest is enough. */
  #watchExpiry(): void {
    if (this.#expiry !== undefined) return;
    const [first] = this.#pending;
    if (first === undefined) return;
    const wait = Math.max(1, first.expiresAt - performance.now());
    this.#expiry = setTimeout(() => {
      this.#expiry = undefined;
      const now = performance.now();
      for (const event of this.#pending) {
        if (event.expiresAt > now) break;
        event.refuse(timeoutError(event.batch, this.#limits.timeoutMs));
      }
      this.#watchExpiry();
      this.#checkFlush();
    }, wait);
  }
}
