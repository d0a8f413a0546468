import { EVENT_OVERHEAD_BYTES } from '../events/event.ts';
import type { StoredEvent } from '../events/event.ts';
import { recordLength } from '../events/record.ts';

const MAX_EVENTS = 1_000;
const MAX_BYTES = 1024 * 1024;

/** The memory of held-back events, shared by all channels of a process. In bytes. */
export interface HeldBudget {
  readonly limit: number;
  used: number;
}

/** Announced events that a channel cannot take in yet. Beyond the limits, events are dropped and must be read from the log. */
export class HeldEvents {
  readonly #budget: HeldBudget;
  #events: StoredEvent[] = [];
  #bytes = 0;
  #lost = false;

  constructor(budget: HeldBudget) {
    this.#budget = budget;
  }

  add(events: readonly StoredEvent[]): void {
    for (const event of events) {
      if (this.#lost) return;
      const bytes = recordLength(event) + EVENT_OVERHEAD_BYTES;
      this.#lost =
        this.#events.length === MAX_EVENTS ||
        this.#bytes + bytes > MAX_BYTES ||
        this.#budget.used + bytes > this.#budget.limit;
      if (this.#lost) {
        this.#clear();
      } else {
        this.#events.push(event);
        this.#bytes += bytes;
        this.#budget.used += bytes;
      }
    }
  }

  /** Removes and returns the events. `lost` says that events were dropped and must be read from the log. */
  take(): { readonly events: readonly StoredEvent[]; readonly lost: boolean } {
    const taken = { events: this.#events, lost: this.#lost };
    this.#clear();
    this.#lost = false;
    return taken;
  }

  /** Removes the events up to the first that `isTaken` refuses. Returns true when events were dropped, as `lost` says. */
  takeWhile(isTaken: (event: StoredEvent) => boolean): boolean {
    const { events, lost } = this.take();
    const next = events.findIndex((event) => !isTaken(event));
    if (next >= 0) this.add(events.slice(next));
    return lost;
  }

  #clear(): void {
    this.#events = [];
    this.#budget.used -= this.#bytes;
    this.#bytes = 0;
  }
}
