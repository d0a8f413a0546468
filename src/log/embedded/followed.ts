import type { EventId, StoredEvent } from '../../events/event.ts';
import type { LogListener } from '../event-log.ts';

/** A channel with listeners. Nearly always there is one. */
export class Followed {
  /** The channel's record. It stays the same, because the log does not forget a channel with listeners. */
  readonly record: number;
  readonly #listeners: LogListener[] = [];

  constructor(record: number) {
    this.record = record;
  }

  get size(): number {
    return this.#listeners.length;
  }

  has(listener: LogListener): boolean {
    return this.#listeners.includes(listener);
  }

  add(listener: LogListener): void {
    this.#listeners.push(listener);
  }

  /** Returns false when the listener was removed before. */
  remove(listener: LogListener): boolean {
    const index = this.#listeners.indexOf(listener);
    if (index >= 0) this.#listeners.splice(index, 1);
    return index >= 0;
  }

  /** @param ended whether the last event is the end of the channel */
  tell(events: readonly StoredEvent[], ended: boolean): void {
    const [only] = this.#listeners;
    // A listener may leave while another one listens.
    if (this.#listeners.length === 1) only?.onEvents(events);
    else for (const listener of this.#listeners.slice()) listener.onEvents(events);
    const last = events[events.length - 1];
    if (ended && last !== undefined) this.tellEnd(last.id);
  }

  /** @param tail the channel's tail, which is its end */
  tellEnd(tail: EventId): void {
    for (const listener of this.#listeners.slice()) listener.onEnded(tail);
  }
}
