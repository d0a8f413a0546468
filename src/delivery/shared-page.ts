import { EventRun } from '../events/event-run.ts';
import type { LogPage } from '../log/event-log.ts';
import { compareEventIds } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { countWithin } from '../events/record.ts';

/** The largest number of bytes that a stream sends for one page. Line breaks make events longer than their records. */
const MAX_SENT_BYTES = 256 * 1024;

interface PageParts {
  /** The position after which the log was read. */
  readonly asked: EventId;
  readonly run: EventRun;
  readonly tail: EventId;
  readonly complete: boolean;
  readonly room: number;
}

/**
 * The result of one read of the log. The page also answers subscribers at positions inside the page: they get the rest of the
 * same run.
 */
export class SharedPage {
  readonly asked: EventId;
  readonly run: EventRun;
  /** See {@link LogPage}. */
  readonly tail: EventId;
  readonly complete: boolean;
  readonly room: number;

  constructor({ asked, run, tail, complete, room }: PageParts) {
    this.asked = asked;
    this.run = run;
    this.tail = tail;
    this.complete = complete;
    this.room = room;
  }

  static of(asked: EventId, { events, tail, complete, room }: LogPage): SharedPage {
    const count = countWithin(events, MAX_SENT_BYTES);
    const from = complete ? asked : (events[0]?.prev ?? tail);
    const run = new EventRun(from, count < events.length ? events.slice(0, count) : events);
    return new SharedPage({ asked, run, tail, complete, room });
  }

  get events(): readonly StoredEvent[] {
    return this.run.events;
  }

  /** The size of all records in bytes. */
  get size(): number {
    return this.events.reduce((sum, { record }) => sum + record.length, 0);
  }

  /**
   * Returns the result of a read after `position` at the same time; undefined when this page cannot give it.
   *
   * The events are consecutive, so the page can answer every position from the first event's predecessor to the last event.
   * When the page was read after a position before all kept events, all older positions get the same answer.
   *
   * @param fresh whether the read began after the subscriber at `position` came, so that the page's tail counts for it
   */
  answerTo(position: EventId, fresh: boolean): SharedPage | undefined {
    if (position === this.asked && (fresh || this.events.length > 0)) return this;
    const [first] = this.events;
    const last = this.events.at(-1);
    if (first === undefined || last === undefined) return this.#answerFromNothing(position, fresh);
    if (compareEventIds(position, first.prev) < 0)
      return compareEventIds(this.asked, first.prev) < 0 ? this.#part(position, 0, false) : undefined;
    if (compareEventIds(position, last.id) < 0) {
      const index = this.#indexAfter(position);
      const known = index === 0 ? first.prev : this.events[index - 1]?.id;
      return this.#part(position, index, known === position);
    }
    // The page does not have the events after it. It can answer only when there are none.
    return fresh && last.id === this.tail
      ? this.#part(position, this.events.length, position === last.id)
      : undefined;
  }

  #answerFromNothing(position: EventId, fresh: boolean): SharedPage | undefined {
    const nothingKept = compareEventIds(this.asked, this.tail) < 0;
    const behind = compareEventIds(position, this.tail) < 0;
    // Dropped events before the tail stay dropped. At the tail or after it, new events may have come since.
    const known = behind ? nothingKept : fresh;
    return known ? this.#part(position, 0, position === this.tail) : undefined;
  }

  #part(asked: EventId, index: number, complete: boolean): SharedPage {
    const { tail, room } = this;
    return new SharedPage({ asked, run: this.run.without(index), tail, complete, room: room + index });
  }

  #indexAfter(position: EventId): number {
    let low = 0;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareEventIds((this.events[middle] as StoredEvent).id, position) > 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
