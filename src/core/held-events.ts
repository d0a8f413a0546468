import type { StoredEvent } from './event.ts';

const MAX_EVENTS = 1_000;
const MAX_BYTES = 1024 * 1024;

/** What is announced while a channel cannot take it in. Bounded: beyond that the log is the memory. */
export class HeldEvents {
  #events: StoredEvent[] = [];
  #bytes = 0;
  #lost = false;

  add(events: readonly StoredEvent[]): void {
    for (const event of events) {
      if (this.#lost) return;
      this.#events.push(event);
      this.#bytes += event.frame.length;
      if (this.#events.length > MAX_EVENTS || this.#bytes > MAX_BYTES) {
        this.#events = [];
        this.#bytes = 0;
        this.#lost = true;
      }
    }
  }

  /** Empties it. `lost` says that there was more than could be held, which now must be read. */
  take(): { readonly events: readonly StoredEvent[]; readonly lost: boolean } {
    const taken = { events: this.#events, lost: this.#lost };
    this.#events = [];
    this.#bytes = 0;
    this.#lost = false;
    return taken;
  }
}
