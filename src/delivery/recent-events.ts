import { EventRun } from '../events/event-run.ts';
import { EVENT_OVERHEAD_BYTES } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';

const MAX_EVENTS = 256;
const MAX_BYTES = 256 * 1024;

/** The memory of recent events and kept pages of all channels, in bytes. Events that are still to be written may exceed it. */
export interface RecentBudget {
  readonly limit: number;
  used: number;
}

/**
 * The newest events of one followed channel, so that a subscriber that is a little behind does not read the log. Holds every
 * event that the channel took in after {@link floor}.
 */
export class RecentEvents {
  readonly #budget: RecentBudget;
  #events: StoredEvent[] = [];
  #bytes = 0;
  #floor: EventId;

  constructor(budget: RecentBudget, floor: EventId) {
    this.#budget = budget;
    this.#floor = floor;
  }

  get floor(): EventId {
    return this.#floor;
  }

  push(event: StoredEvent): void {
    this.#events.push(withOwnBytes(event));
    this.#bytes += costOf(event);
    this.#budget.used += costOf(event);
  }

  /** Returns the events after the position; undefined when the position is neither the floor nor one of the events. */
  after(position: EventId): readonly StoredEvent[] | undefined {
    const events = this.#events;
    for (let i = events.length; i > 0; i--) {
      if (events[i - 1]?.id === position) return i === events.length ? [] : events.slice(i);
    }
    return position === this.#floor ? events.slice() : undefined;
  }

  has(id: EventId): boolean {
    return this.#events.some((event) => event.id === id);
  }

  /** Drops the oldest events until the limits hold, but none after `keepAfter`. */
  trim(keepAfter: EventId): void {
    let drop = 0;
    let { used } = this.#budget;
    let bytes = this.#bytes;
    const events = this.#events;
    while (drop < events.length) {
      if (events.length - drop <= MAX_EVENTS && bytes <= MAX_BYTES && used <= this.#budget.limit) break;
      if (this.#floor === keepAfter) break;
      const event = events[drop++] as StoredEvent;
      bytes -= costOf(event);
      used -= costOf(event);
      this.#floor = event.id;
    }
    if (drop === 0) return;
    this.#events = events.slice(drop);
    this.#bytes = bytes;
    this.#budget.used = used;
  }

  /** Drops all events. The next event that is pushed follows `floor`. */
  reset(floor: EventId): void {
    this.#budget.used -= this.#bytes;
    this.#events = [];
    this.#bytes = 0;
    this.#floor = floor;
  }
}

/**
 * The last run of recent events, of any channel. Subscribers that come together need the same run. One run for all channels
 * bounds the memory.
 */
export class LastRun {
  #channel: object | undefined;
  #run: EventRun | undefined;

  /** Returns the run of the events after `from`, or of the first of them when the events have many bytes. */
  of(channel: object, from: EventId, events: readonly StoredEvent[]): EventRun {
    const run = EventRun.bounded(from, events);
    const last = this.#channel === channel ? this.#run : undefined;
    if (last?.from === from && last.to === run.to) return last;
    if (events.length > 1) {
      this.#channel = channel;
      this.#run = run;
    }
    return run;
  }

  forget(channel: object): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#run = undefined;
  }
}

function costOf({ record }: StoredEvent): number {
  return record.length + EVENT_OVERHEAD_BYTES;
}

/** Copies a record that is a view of a larger buffer. The records of a page share a buffer, and one would keep all of it. */
function withOwnBytes(event: StoredEvent): StoredEvent {
  const { record } = event;
  if (record.buffer.byteLength === record.length) return event;
  const own = Buffer.allocUnsafeSlow(record.length);
  own.set(record);
  return { ...event, record: own };
}
