import type { Batch } from './publisher-batch.ts';
import type { EventLine } from './publisher-event.ts';

/** An event that is not acknowledged yet. */
export interface QueuedEvent extends EventLine {
  /** Counts the events of the publisher. */
  readonly number: number;
  /** When the caller waits no longer, in ms of `performance.now()`. */
  readonly expiresAt: number;
  /** The batch that the event is in; undefined while the event waits. */
  batch: Batch | undefined;
  /** Whether the caller has its result. */
  settled: boolean;
  readonly acknowledge: (id: string) => void;
  readonly refuse: (error: unknown) => void;
}

export interface BatchLimits {
  readonly maxBatchEvents: number;
  readonly maxBatchBytes: number;
}

/**
 * The events that wait for a request. A channel whose events are in a request is busy, and its next events wait until that
 * request is over. So requests at the same time have different channels, and the order within a channel is kept.
 */
export class PublisherQueue {
  readonly #limits: BatchLimits;
  readonly #waiting = new Map<string, Set<QueuedEvent>>();
  /** The channels that have events and are not busy, the one that has waited longest first. */
  readonly #ready = new Set<string>();
  readonly #busy = new Set<string>();
  #events = 0;
  #bytes = 0;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Whether the largest batch could go. */
  get fillsBatch(): boolean {
    return this.#events >= this.#limits.maxBatchEvents || this.#bytes >= this.#limits.maxBatchBytes;
  }

  add(event: QueuedEvent): void {
    const { channel, bytes } = event;
    this.#events++;
    this.#bytes += bytes;
    const waiting = this.#waiting.get(channel);
    if (waiting !== undefined) {
      waiting.add(event);
      return;
    }
    this.#waiting.set(channel, new Set([event]));
    if (!this.#busy.has(channel)) this.#ready.add(channel);
  }

  remove(event: QueuedEvent): void {
    const { channel, bytes } = event;
    const waiting = this.#waiting.get(channel);
    if (waiting?.delete(event) !== true) return;
    this.#events--;
    this.#bytes -= bytes;
    if (waiting.size > 0) return;
    this.#waiting.delete(channel);
    this.#ready.delete(channel);
  }

  /** Takes the events of the next request; empty when no event can go. Their channels are busy until {@link release}. */
  take(): readonly QueuedEvent[] {
    const { maxBatchEvents, maxBatchBytes } = this.#limits;
    const taken: QueuedEvent[] = [];
    let bytes = 0;
    for (const channel of this.#ready) {
      const waiting = this.#waiting.get(channel) ?? [];
      for (const event of waiting) {
        if (taken.length > 0 && event.alone) break;
        // Each line ends with a line break.
        bytes += event.bytes + 1;
        if (taken.length === maxBatchEvents || (taken.length > 0 && bytes > maxBatchBytes)) return taken;
        taken.push(event);
        this.#busy.add(channel);
        this.remove(event);
        this.#ready.delete(channel);
        if (event.alone) return taken;
        // A body must not have events behind the end of their channel.
        if (event.closes) break;
      }
    }
    return taken;
  }

  /** The request of these events is over. */
  release(events: readonly QueuedEvent[]): void {
    for (const { channel } of events) {
      this.#busy.delete(channel);
      if (this.#waiting.has(channel)) this.#ready.add(channel);
    }
  }
}
