import { EVENT_OVERHEAD } from './event.ts';
import type { EventId, StoredEvent } from './event.ts';

const MAX_EVENTS = 256;
const MAX_BYTES = 256 * 1024;

/** What all channels of a process may keep in recent memory together, beyond what is still on its way to sockets. */
export interface RecentBudget {
  readonly limit: number;
  used: number;
}

/**
 * The newest events of one followed channel, so that somebody who is only a little behind need not ask the log. Covers
 * everything the channel accepted after {@link floor}; a position it does not know exactly is not its to judge.
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

  /** The events after exactly this position; undefined when the position is not among those covered. */
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

  /** Lets go of the oldest beyond the limits, but of nothing after `keepAfter`. */
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

  /** Forgets everything; what is pushed from here on follows `floor`. */
  reset(floor: EventId): void {
    this.#budget.used -= this.#bytes;
    this.#events = [];
    this.#bytes = 0;
    this.#floor = floor;
  }
}

function costOf({ frame }: StoredEvent): number {
  return frame.length + EVENT_OVERHEAD;
}

/** The events of a page may share a buffer: keeping one of them would keep all. What was announced owns its bytes. */
function withOwnBytes(event: StoredEvent): StoredEvent {
  const { frame } = event;
  if (frame.buffer.byteLength === frame.length) return event;
  const own = Buffer.allocUnsafeSlow(frame.length);
  own.set(frame);
  return { ...event, frame: own };
}
