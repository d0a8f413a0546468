import type { EventId, StoredEvent } from '../../events/event.ts';
import { NONE } from './block-store.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { EventRecords } from './event-records.ts';
import { eventId, idParts, isAfter } from '../id-parts.ts';
import { copyChain } from './record-chain.ts';

/** How many events of a channel are measured. Their average stands for the others. */
export const MAX_MEASURED = 300;

export interface ChannelPage {
  readonly events: readonly StoredEvent[];
  readonly tail: EventId;
  readonly ended: boolean;
  readonly complete: boolean;
  /** How many events follow the position, including those of the page. */
  readonly left: number;
}

/** A place between two events of a channel. */
interface Place {
  /** The event after the place; NONE at the end. */
  readonly event: number;
  /** The id of the event before the place. */
  readonly prev: EventId;
  /** How many events follow the place. */
  readonly left: number;
}

/** The readable events of one channel: those of its newest `size` events that were appended after `cutoff` and not cleared. */
export class ChannelHistory {
  readonly #channels: ChannelRecords;
  readonly #events: EventRecords;
  readonly #channel: number;
  readonly #size: number;
  readonly #cutoff: number;

  constructor(
    channels: ChannelRecords,
    events: EventRecords,
    channel: number,
    { size, cutoff }: { readonly size: number; readonly cutoff: number },
  ) {
    this.#channels = channels;
    this.#events = events;
    this.#channel = channel;
    this.#size = size;
    this.#cutoff = cutoff;
  }

  /** Returns the events after `after`: at most `limit` events and `maxBytes` of records, but at least one event. */
  page(after: EventId, limit: number, maxBytes: number): ChannelPage {
    const position = idParts(after);
    const { event, prev, left } = this.#seek((one) => isAfter(this.#events.id(one), position));
    // Then `after` is a kept event, or the id before the oldest kept event.
    const complete = prev === after;
    const { tail, status } = this.#channels.state(this.#channel);
    const { events } = copyChain(this.#events, event, prev, { limit, maxBytes });
    return { events, tail, ended: status === 'ended', complete, left };
  }

  /** Returns the id that precedes the newest `count` events. */
  rewind(count: number): EventId {
    const ordinal = this.#channels.appended(this.#channel) - count;
    return this.#seek((_, at) => at >= ordinal).prev;
  }

  countAfter(position: EventId): number {
    const parts = idParts(position);
    return this.#seek((one) => isAfter(this.#events.id(one), parts)).left;
  }

  /** Returns the oldest event, the number of events, and their memory. The memory of many events is estimated. */
  summary(): { readonly first: EventId | null; readonly length: number; readonly bytes: number } {
    const events = this.#events;
    const { event: first, left: length } = this.#seek(() => true);
    let bytes = 0;
    let measured = 0;
    for (let event = first; event !== NONE && measured < MAX_MEASURED; event = events.next(event)) {
      bytes += events.cost(events.length(event));
      measured++;
    }
    return {
      first: first === NONE ? null : eventId(events.id(first)),
      length,
      bytes: measured < length ? Math.round((bytes / measured) * length) : bytes,
    };
  }

  /** Returns the place before the first event that satisfies `isBehind`. All later events satisfy it, too. */
  #seek(isBehind: (event: number, ordinal: number) => boolean): Place {
    const events = this.#events;
    const appended = this.#channels.appended(this.#channel);
    const oldest = Math.max(appended - this.#size, this.#channels.firstOrdinal(this.#channel));
    const behind = (one: number, at: number): boolean =>
      at >= oldest && isBehind(one, at) && events.at(one) > this.#cutoff;
    const mark = this.#channels
      .marks(this.#channel)
      ?.lastBefore((marked) => behind(marked.event, marked.ordinal));

    let event = mark?.event ?? this.#channels.first(this.#channel);
    let ordinal = mark?.ordinal ?? appended - this.#channels.length(this.#channel);
    let before = NONE;
    while (event !== NONE && !behind(event, ordinal)) {
      before = event;
      event = events.next(event);
      ordinal++;
    }
    const prev = before === NONE ? this.#channels.floor(this.#channel) : events.id(before);
    return { event, prev: eventId(prev), left: appended - ordinal };
  }
}
