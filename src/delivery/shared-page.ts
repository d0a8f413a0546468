import { EventRun } from '../events/event-run.ts';
import type { LogPage } from '../log/event-log.ts';
import { EVENT_OVERHEAD_BYTES, compareEventIds } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { sentLength } from '../events/record.ts';

interface PageParts {
  /** The position after which the log was read. */
  readonly asked: EventId;
  readonly run: EventRun;
  readonly tail: EventId;
  readonly ended: boolean;
  readonly complete: boolean;
  readonly room: number;
  readonly recordBytes: number;
}

/**
 * The log's answer to one question. It also answers subscribers whose position is inside the page: they get the rest of
 * the same run.
 */
export class SharedPage {
  readonly asked: EventId;
  readonly run: EventRun;
  /** See {@link LogPage}. */
  readonly tail: EventId;
  readonly ended: boolean;
  readonly complete: boolean;
  readonly room: number;
  /** Bytes of all records that the log gave: they may share one buffer, which stays while one of them does. */
  readonly #recordBytes: number;

  constructor({ asked, run, tail, ended, complete, room, recordBytes }: PageParts) {
    this.asked = asked;
    this.run = run;
    this.tail = tail;
    this.ended = ended;
    this.complete = complete;
    this.room = room;
    this.#recordBytes = recordBytes;
  }

  static of(asked: EventId, { events, tail, ended, complete, room }: LogPage): SharedPage {
    const from = complete ? asked : (events[0]?.prev ?? tail);
    const run = EventRun.bounded(from, events);
    const recordBytes = events.reduce((sum, { record }) => sum + record.length, 0);
    return new SharedPage({ asked, run, tail, ended, complete, room, recordBytes });
  }

  get events(): readonly StoredEvent[] {
    return this.run.events;
  }

  /** Bytes that the page takes in memory at the most, with the form in which its run is sent. */
  get size(): number {
    return this.events.reduce(
      (sum, event) => sum + EVENT_OVERHEAD_BYTES + sentLength(event),
      this.#recordBytes,
    );
  }

  /**
   * What the log would have answered at the same moment to a subscriber at `position`; undefined when the page does not
   * show that.
   *
   * The events are consecutive, so every position from the first event's predecessor to the last event is inside the
   * page. When the log was read from a position before all that it keeps, every older position gets the same answer.
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
    // A page that does not end at the tail says nothing about later events.
    return fresh && last.id === this.tail
      ? this.#part(position, this.events.length, position === last.id)
      : undefined;
  }

  #answerFromNothing(position: EventId, fresh: boolean): SharedPage | undefined {
    const nothingKept = compareEventIds(this.asked, this.tail) < 0;
    const behind = compareEventIds(position, this.tail) < 0;
    // Events before the tail that are gone stay gone. After the tail there may be new events since.
    const known = behind ? nothingKept : fresh;
    return known ? this.#part(position, 0, position === this.tail) : undefined;
  }

  #part(asked: EventId, index: number, complete: boolean): SharedPage {
    const run = this.run.without(index);
    const { tail, ended, room } = this;
    const recordBytes = this.#recordBytes;
    return new SharedPage({ asked, run, tail, ended, complete, room: room + index, recordBytes });
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
