import { compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';

/** The data of an event of the broker, or of an event from {@link HubFixture.set}. */
interface EventData {
  readonly channel?: string;
  readonly key?: string;
  readonly value?: number;
}

/** What a page makes of a stream with `?state`: the newest value of each key. */
export class StateView {
  readonly values: Map<string, number>;
  /** The ids that did not come after the id before them, although no gap was between. */
  readonly disorder: string[] = [];
  #last: EventId | undefined;

  constructor(values: ReadonlyMap<string, number> = new Map(), last?: EventId) {
    this.values = new Map(values);
    this.#last = last;
  }

  take(id: EventId, text: string): void {
    if (this.#last !== undefined && compareEventIds(id, this.#last) <= 0) this.disorder.push(id);
    this.#last = id;
    const { channel, key, value } = JSON.parse(text) as EventData;
    if (channel !== undefined && key === undefined) this.values.clear();
    else if (channel !== undefined && key !== undefined) this.values.delete(key);
    else if (key !== undefined && value !== undefined) this.values.set(key, value);
  }

  /** A gap was written. */
  lose(): void {
    this.values.clear();
    this.#last = undefined;
  }
}
