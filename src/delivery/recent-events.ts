import { EventRun } from '../events/event-run.ts';
import { EVENT_OVERHEAD_BYTES, ORIGIN } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { recordLength } from '../events/record.ts';
import { TextEvent } from '../events/text-event.ts';
import type { Retention } from './retention.ts';

const MAX_EVENTS = 256;
const MAX_BYTES = 256 * 1024;

/** The memory of recent events and kept pages of all channels, in bytes. Events that are still to be written may exceed it. */
export interface RecentBudget {
  readonly limit: number;
  used: number;
}

interface RecentEventsOptions {
  readonly budget: RecentBudget;
  readonly lastRun: LastRun;
  readonly retention: Retention;
}

/**
 * The newest events of one followed channel, so that a subscriber that is a little behind does not read the log. Holds every
 * event that the channel took in after {@link floor}.
 */
export class RecentEvents {
  readonly #budget: RecentBudget;
  readonly #lastRun: LastRun;
  readonly #retention: Retention;
  #events: StoredEvent[] = [];
  #bytes = 0;
  #floor = ORIGIN;
  /** How many of the oldest events were deleted from the log. */
  #deleted = 0;

  constructor({ budget, lastRun, retention }: RecentEventsOptions) {
    this.#budget = budget;
    this.#lastRun = lastRun;
    this.#retention = retention;
  }

  get floor(): EventId {
    return this.#floor;
  }

  push(event: StoredEvent): void {
    this.#retention.take(event);
    const cost = costOf(event);
    this.#events.push(withOwnBytes(event));
    this.#bytes += cost;
    this.#budget.used += cost;
  }

  /** Returns the events after the position; undefined when the position is neither the floor nor one of the events. */
  after(position: EventId): readonly StoredEvent[] | undefined {
    const events = this.#events;
    for (let i = events.length; i > 0; i--) {
      if (events[i - 1]?.id === position) return i === events.length ? [] : events.slice(i);
    }
    return position === this.#floor ? events.slice() : undefined;
  }

  /**
   * The events after the position; undefined when the log has to be read. It also has to be read when the log no longer keeps
   * one of these events that was taken in before the subscriber came (`arrivedAt`). A run is limited in bytes, so it may
   * end before the newest event.
   */
  runAfter(position: EventId, arrivedAt: number): EventRun | undefined {
    const events = this.after(position);
    if (events === undefined) return undefined;
    const [first] = events;
    const before = events.length - (this.#retention.taken - arrivedAt);
    if (first !== undefined && before > 0 && !this.#retention.keeps(first.id, before, arrivedAt))
      return undefined;
    return this.#lastRun.of(this, position, events);
  }

  has(id: EventId): boolean {
    return this.#events.some((event) => event.id === id);
  }

  /** All events were deleted from the log. They are kept only until every live subscriber has got them. */
  clear(): void {
    this.#deleted = this.#events.length;
    this.#retention.clear();
    this.#lastRun.forget(this);
  }

  /** Drops the deleted events, and the oldest others until the limits hold, but none after `keepAfter`. */
  trim(keepAfter: EventId): void {
    let drop = 0;
    let { used } = this.#budget;
    let bytes = this.#bytes;
    const events = this.#events;
    while (drop < events.length) {
      const fits = events.length - drop <= MAX_EVENTS && bytes <= MAX_BYTES && used <= this.#budget.limit;
      if (fits && drop >= this.#deleted) break;
      if (this.#floor === keepAfter) break;
      const event = events[drop++] as StoredEvent;
      const cost = costOf(event);
      bytes -= cost;
      used -= cost;
      this.#floor = event.id;
    }
    if (drop === 0) return;
    this.#events = events.slice(drop);
    this.#bytes = bytes;
    this.#budget.used = used;
    this.#deleted = Math.max(0, this.#deleted - drop);
  }

  /** Drops all events. The next event that is pushed follows `floor`, the newest event of the log. */
  reset(floor: EventId): void {
    this.#retention.heard(floor);
    this.#lastRun.forget(this);
    this.#budget.used -= this.#bytes;
    this.#events = [];
    this.#bytes = 0;
    this.#deleted = 0;
    this.#floor = floor;
  }
}

/**
 * The last run of recent events, of any channel. Subscribers that come together need the same run. One run for all channels
 * bounds the memory.
 */
export class LastRun {
  #of: RecentEvents | undefined;
  #run: EventRun | undefined;

  /** Returns the run of the events after `from`, or of the first of them when the events have many bytes. */
  of(recent: RecentEvents, from: EventId, events: readonly StoredEvent[]): EventRun {
    const run = EventRun.bounded(from, events);
    const last = this.#of === recent ? this.#run : undefined;
    if (last?.from === from && last.to === run.to) return last;
    if (events.length > 1) {
      this.#of = recent;
      this.#run = run;
    }
    return run;
  }

  forget(recent: RecentEvents): void {
    if (this.#of !== recent) return;
    this.#of = undefined;
    this.#run = undefined;
  }
}

function costOf(event: StoredEvent): number {
  // A text with one character above U+00FF takes two bytes for each character.
  if (event instanceof TextEvent && !event.isAscii)
    return Math.max(event.bytes, 2 * event.data.length) + EVENT_OVERHEAD_BYTES;
  return recordLength(event) + EVENT_OVERHEAD_BYTES;
}

/** Copies a record that is a view of a larger buffer. The records of a page share a buffer, and one would keep all of it. */
function withOwnBytes(event: StoredEvent): StoredEvent {
  if (event instanceof TextEvent) return event;
  const { record } = event;
  if (record.buffer.byteLength === record.length) return event;
  const own = Buffer.allocUnsafeSlow(record.length);
  own.set(record);
  return { ...event, record: own };
}
