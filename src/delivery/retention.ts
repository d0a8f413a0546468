import { eventTime } from '../events/event.ts';
import type { HistoryPolicy } from '../log/event-log.ts';
import type { EventId, StoredEvent } from '../events/event.ts';

/**
 * What the log still keeps of one channel, as far as this replica knows without asking the log. The replica sends no event
 * from its memory that the log no longer keeps, so all replicas give a subscriber the same events.
 */
export class Retention {
  readonly policy: HistoryPolicy;
  /** How many events this replica has taken in. */
  #taken = 0;
  /** How many of them were deleted when the channel was cleared. */
  #deleted = 0;
  #newest: EventId | undefined;
  #heardAt = 0;

  constructor(policy: HistoryPolicy) {
    this.policy = policy;
  }

  get taken(): number {
    return this.#taken;
  }

  /** Notes that `newest` is the newest event of the log at this moment. */
  heard(newest: EventId): void {
    this.#newest = newest;
    this.#heardAt = performance.now();
  }

  take(event: StoredEvent): void {
    this.#taken++;
    this.heard(event.id);
  }

  /** All events that were taken in until now have been deleted. */
  clear(): void {
    this.#deleted = this.#taken;
  }

  /**
   * Whether the log keeps the newest `count` of the first `taken` events that this replica has taken in. `oldest` is the first
   * of them.
   */
  keeps(oldest: EventId, count: number, taken: number): boolean {
    return count <= Math.min(this.policy.size, taken - this.#deleted) && !this.expired(oldest);
  }

  /**
   * Whether an event is too old by the log's clock. The newest event's id has the time of that clock when this event was
   * appended, and this replica's clock says how long ago that was. The answer may be late by as long as the newest event
   * took to arrive here.
   */
  expired(id: EventId): boolean {
    if (this.#newest === undefined) return false;
    const now = eventTime(this.#newest) + performance.now() - this.#heardAt;
    return eventTime(id) <= now - this.policy.ttl;
  }
}
