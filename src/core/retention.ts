import { eventTime } from './event.ts';
import type { EventId, StoredEvent } from './event.ts';

/** What the log keeps of each channel. */
export interface HistoryLimits {
  /** Events. */
  readonly size: number;
  /** How long an event is kept, in ms. */
  readonly ttl: number;
}

/**
 * What the log still keeps of one channel, as far as this replica can tell without asking: so that nobody gets from its
 * memory what another replica, or this one a moment later, would call gone.
 */
export class Retention {
  readonly #limits: HistoryLimits;
  /** Events that this replica has taken in. */
  #taken = 0;
  #newest: EventId | undefined;
  #heardAt = 0;

  constructor(limits: HistoryLimits) {
    this.#limits = limits;
  }

  get taken(): number {
    return this.#taken;
  }

  /** The log's newest event, of which this replica has just heard. */
  heard(newest: EventId): void {
    this.#newest = newest;
    this.#heardAt = performance.now();
  }

  take(event: StoredEvent): void {
    this.#taken++;
    this.heard(event.id);
  }

  /** Whether so many of the newest events are kept, but for those that are too old. */
  holds(count: number): boolean {
    return count <= this.#limits.size;
  }

  /**
   * Whether an event is too old by the log's clock, which stood at the newest event's time when that was appended. Late by
   * no more than that event took to get here.
   */
  expired(id: EventId): boolean {
    if (this.#newest === undefined) return false;
    const now = eventTime(this.#newest) + performance.now() - this.#heardAt;
    return eventTime(id) <= now - this.#limits.ttl;
  }
}
