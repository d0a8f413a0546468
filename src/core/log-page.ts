import type { LogPage } from './event-log.ts';
import { compareEventIds } from './event.ts';
import type { EventId, StoredEvent } from './event.ts';
import { joinFrames, withoutChunk } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** The bytes of a page's events, joined once for all who read it, and where each event begins in them. */
class JoinedFrames {
  readonly #events: readonly StoredEvent[];
  #bytes: SharedBytes | undefined;

  constructor(events: readonly StoredEvent[]) {
    this.#events = events;
  }

  from(index: number): SharedBytes {
    this.#bytes ??= joinFrames(this.#events);
    if (index === 0) return this.#bytes;
    let offset = 0;
    for (let i = 0; i < index; i++) offset += (this.#events[i] as StoredEvent).frame.length;
    return withoutChunk(this.#bytes.plain.subarray(offset));
  }
}

/**
 * What the log has answered to one question, for everybody whose question it answers, too: who stands inside of the page
 * gets the rest of it, as a part of the same bytes.
 */
export class SharedPage implements LogPage {
  /** The position that was asked about. */
  readonly asked: EventId;
  readonly events: readonly StoredEvent[];
  readonly tail: EventId;
  readonly complete: boolean;
  readonly room: number;
  readonly #joined: JoinedFrames;
  readonly #index: number;

  constructor(
    asked: EventId,
    page: LogPage,
    part?: { readonly joined: JoinedFrames; readonly index: number },
  ) {
    this.asked = asked;
    this.events = page.events;
    this.tail = page.tail;
    this.complete = page.complete;
    this.room = page.room;
    this.#joined = part?.joined ?? new JoinedFrames(page.events);
    this.#index = part?.index ?? 0;
  }

  /** Bytes of all its frames. */
  get size(): number {
    return this.events.reduce((sum, { frame }) => sum + frame.length, 0);
  }

  /** One buffer for all who read it. */
  get bytes(): SharedBytes {
    return this.#joined.from(this.#index);
  }

  /**
   * What the log would have answered at the same moment to somebody at `position`; undefined where this page does not tell.
   *
   * Its events follow on each other, so every position from the first one's predecessor to the last one is inside. A
   * position before that which was asked about, and after which the page does not begin, lies before all that is kept,
   * and so do all that are older than what the page begins with.
   *
   * @param fresh the log was asked after `position` was, so that its tail counts for it
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
    // Behind the page lies what it does not hold, or nothing.
    return fresh && last.id === this.tail
      ? this.#part(position, this.events.length, position === last.id)
      : undefined;
  }

  #answerFromNothing(position: EventId, fresh: boolean): SharedPage | undefined {
    const nothingKept = compareEventIds(this.asked, this.tail) < 0;
    const behind = compareEventIds(position, this.tail) < 0;
    // That nothing is left of what came before the tail stays true. What lies at the tail or beyond it may since have come.
    const told = behind ? nothingKept : fresh;
    return told ? this.#part(position, 0, position === this.tail) : undefined;
  }

  #part(asked: EventId, index: number, complete: boolean): SharedPage {
    const { tail, room } = this;
    const page = { events: this.events.slice(index), tail, complete, room: room + index };
    return new SharedPage(asked, page, { joined: this.#joined, index: this.#index + index });
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
