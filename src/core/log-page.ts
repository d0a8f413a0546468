import type { LogPage } from './event-log.ts';
import type { EventId, StoredEvent } from './event.ts';

/** A page that many subscribers read: its bytes are joined once, for all of them. */
export class SharedPage implements LogPage {
  readonly events: readonly StoredEvent[];
  readonly tail: EventId;
  readonly complete: boolean;
  readonly room: number;
  /** Bytes of all its frames. */
  readonly size: number;
  #bytes: Buffer | undefined;

  constructor(page: LogPage) {
    this.events = page.events;
    this.tail = page.tail;
    this.complete = page.complete;
    this.room = page.room;
    this.size = page.events.reduce((sum, { frame }) => sum + frame.length, 0);
  }

  get bytes(): Buffer {
    this.#bytes ??= joinFrames(this.events);
    return this.#bytes;
  }

  /** The rest of this page for somebody who has seen `after`; undefined when that is not one of its events but the last. */
  from(after: EventId): SharedPage | undefined {
    const index = this.events.findIndex((event) => event.id === after);
    if (index < 0 || index === this.events.length - 1) return undefined;
    return new SharedPage({
      events: this.events.slice(index + 1),
      tail: this.tail,
      complete: true,
      room: this.room + index + 1,
    });
  }
}

/** One buffer for all: what is written to every socket. */
export function joinFrames(events: readonly StoredEvent[]): Buffer {
  const [first] = events;
  if (first === undefined) return Buffer.alloc(0);
  return events.length === 1 ? first.frame : Buffer.concat(events.map((event) => event.frame));
}
