import type { ChannelName } from '../core/channel-name.ts';
import type { LogListener } from '../core/event-log.ts';
import { ORIGIN, compareEventIds } from '../core/event.ts';
import type { EventId, StoredEvent } from '../core/event.ts';

/** An event in the embedded log: part of its channel, and of the age order over all channels. */
export interface Entry {
  readonly event: StoredEvent;
  readonly history: ChannelHistory;
  /** Epoch ms of the append. */
  readonly at: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** One channel of the embedded log: its retained events, oldest first, and what must be known when none is left. */
export class ChannelHistory {
  readonly name: ChannelName;
  readonly listeners = new Set<LogListener>();
  tail: EventId = ORIGIN;
  /** Of the last append, epoch ms: ids do not go back when the clock does. */
  ms = 0;
  seq = 0;
  #entries: Entry[] = [];
  #first = 0;

  constructor(name: ChannelName) {
    this.name = name;
  }

  get length(): number {
    return this.#entries.length - this.#first;
  }

  get oldest(): Entry | undefined {
    return this.#entries[this.#first];
  }

  nextId(now: number): EventId {
    if (now > this.ms) {
      this.ms = now;
      this.seq = 0;
    } else {
      this.seq++;
    }
    return `${this.ms}-${this.seq}` as EventId;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.tail = entry.event.id;
  }

  dropOldest(): void {
    this.#entries[this.#first] = undefined as never;
    this.#first++;
    // Moving what is left costs as much as it saves once half is gone.
    if (this.#first > 32 && this.#first * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#first);
      this.#first = 0;
    }
  }

  /** At most `limit` events after `after`, no more than `maxBytes` of them but at least one. */
  after(after: EventId, limit: number, maxBytes: number): StoredEvent[] {
    const events: StoredEvent[] = [];
    let bytes = 0;
    for (let i = this.#indexAfter(after); i < this.#entries.length && events.length < limit; i++) {
      const { event } = this.#entries[i] as Entry;
      bytes += event.frame.length;
      if (events.length > 0 && bytes > maxBytes) break;
      events.push(event);
    }
    return events;
  }

  /** How many events there are after `after`. */
  lengthAfter(after: EventId): number {
    return this.#entries.length - this.#indexAfter(after);
  }

  /** Whether `id` stands right before, or among, what is retained: then nothing after it is missing. */
  knows(id: EventId): boolean {
    if (id === this.tail) return true;
    if (this.oldest?.event.prev === id) return true;
    const index = this.#indexAfter(id) - 1;
    return index >= this.#first && this.#entries[index]?.event.id === id;
  }

  /** The id after which the newest `count` events lie. */
  rewind(count: number): EventId {
    const index = Math.max(this.#first, this.#entries.length - count);
    return this.#entries[index]?.event.prev ?? this.tail;
  }

  #indexAfter(after: EventId): number {
    let low = this.#first;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareEventIds((this.#entries[middle] as Entry).event.id, after) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
