import { eventTime } from '../events/event.ts';
import type { HistoryPolicy } from '../log/event-log.ts';
import type { EventId, StoredEvent } from '../events/event.ts';

/**
 * Estimates which events of one channel the log still keeps, without reading the log. With this, a subscriber gets no event
 * from this replica's memory that is gone at another replica.
 */
export class Retention {
  readonly #policy: HistoryPolicy;
  /** How many events this replica has taken in. */
  #taken = 0;
  #newest: EventId | undefined;
  #heardAt = 0;

  constructor(policy: HistoryPolicy) {
    this.#policy = policy;
  }

  get taken(): number {
    return this.#taken;
  }

  /** To be called when this replica learns of the log's newest event. */
  heard(newest: EventId): void {
    this.#newest = newest;
    this.#heardAt = performance.now();
  }

  take(event: StoredEvent): void {
    this.#taken++;
    this.heard(event.id);
  }

  /** Whether the log keeps this many events, if none of them is too old. */
  holds(count: number): boolean {
    return count <= this.#policy.size;
  }

  /**
   * Whether an event is too old by the log's clock. The newest event's id has the time of that clock when the event was
   * appended. This replica's clock says how long ago the event arrived. The result is late by the event's time of travel.
   */
  expired(id: EventId): boolean {
    if (this.#newest === undefined) return false;
    const now = eventTime(this.#newest) + performance.now() - this.#heardAt;
    return eventTime(id) <= now - this.#policy.ttl;
  }
}
