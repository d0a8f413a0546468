import { eventTime } from '../events/event.ts';
import type { HistoryPolicy } from '../log/event-log.ts';
import type { EventId, StoredEvent } from '../events/event.ts';

/**
 * What the log still keeps of one channel, as far as this replica knows without asking. A subscriber so gets nothing from
 * this replica's memory that another replica would call gone.
 */
export class Retention {
  readonly #policy: HistoryPolicy;
  /** Events that this replica has taken in. */
  #taken = 0;
  #newest: EventId | undefined;
  #heardAt = 0;

  constructor(policy: HistoryPolicy) {
    this.#policy = policy;
  }

  get taken(): number {
    return this.#taken;
  }

  /** This replica has just heard of the log's newest event. */
  heard(newest: EventId): void {
    this.#newest = newest;
    this.#heardAt = performance.now();
  }

  take(event: StoredEvent): void {
    this.#taken++;
    this.heard(event.id);
  }

  /** Whether the log keeps so many events, if none of them is too old. */
  holds(count: number): boolean {
    return count <= this.#policy.size;
  }

  /**
   * Whether an event is too old by the log's clock. That clock stood at the newest event's time when the event was appended;
   * this replica's own clock says how long ago that was. The answer can be late by the time that event took to get here.
   */
  expired(id: EventId): boolean {
    if (this.#newest === undefined) return false;
    const now = eventTime(this.#newest) + performance.now() - this.#heardAt;
    return eventTime(id) <= now - this.#policy.ttl;
  }
}
