import type { ChannelName } from '../events/channel-name.ts';
import { recordLength } from '../events/record.ts';
import { channelLabels, encodePlace } from '../events/cursor-rest.ts';
import type { Place } from '../events/cursor-rest.ts';
import type { EventRun } from '../events/event-run.ts';
import type { StoredEvent } from '../events/event.ts';
import { FRAME_TEXT, frameSlices } from './event-frames.ts';
import { sharedBytes } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';

/** The largest number of bytes that one step encodes. */
const PIECE_BYTES = 60 * 1024;
/** A longer event is not copied: its connection writes its id, and then the bytes that all readers share. */
const LARGE_EVENT_BYTES = 16 * 1024;
/** How many positions of connections with the same channels are shared at a time. */
const MAX_INTERNED = 32;

/** Where a connection is in each channel of its set. Connections at the same positions share one object. */
export interface Positions {
  /** In the order of the set's names. */
  readonly places: readonly Place[];
  /** The same places as they are in a cursor. */
  readonly texts: readonly string[];
}

/** The first events of a run as they are sent to a connection at certain positions. */
export interface Step {
  readonly run: EventRun;
  readonly after: Positions;
  /**
   * The events in memory of their own; or as text for a single connection, one character a byte; or the id line of one large
   * event and its other lines in shared memory.
   */
  readonly bytes: SharedBytes | string | { readonly idLine: string; readonly shared: Buffer };
  /** The events of the run that are still to be sent. */
  readonly rest: EventRun | undefined;
}

/** The sets of channels that connections have. Connections with the same channels share one set. */
export class ChannelSets {
  readonly #sets = new Map<string, ChannelSet>();

  /** Finds or makes the set. The caller has to {@link release} it. */
  acquire(channels: readonly ChannelName[]): ChannelSet {
    const names = channels.toSorted();
    const key = names.join(',');
    let set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, (set = new ChannelSet(key, names)));
    set.connections++;
    return set;
  }

  release(set: ChannelSet): void {
    set.connections--;
    if (set.connections === 0) this.#sets.delete(set.key);
  }
}

/**
 * The channels of a connection. An event's id names the positions in all channels, so the bytes of a run depend on the
 * connection's other channels. Connections with the same channels nearly always have the same positions. A run is
 * encoded once for all connections at the same positions, and moves all of them to the same next positions.
 */
export class ChannelSet {
  readonly key: string;
  /** Sorted. */
  readonly names: readonly ChannelName[];
  connections = 0;
  readonly #labels: readonly string[];
  /** The steps of this turn of the event loop, by the positions at which they begin. */
  #steps: Map<Positions, Step> | undefined;
  /** The newest positions, by their text. */
  #interned: Map<string, Positions> | undefined;

  constructor(key: string, names: readonly ChannelName[]) {
    this.key = key;
    this.names = names;
    this.#labels = channelLabels(names);
  }

  positions(places: readonly Place[]): Positions {
    return this.#shared({ places, texts: places.map((place) => encodePlace(place)) });
  }

  /** Returns the positions after a move in one channel. */
  move(from: Positions, index: number, place: Place): Positions {
    if (from.places[index] === place) return from;
    const places = from.places.with(index, place);
    return this.#shared({ places, texts: from.texts.with(index, encodePlace(place)) });
  }

  /**
   * Returns the cursor of a reader at these positions. Undefined when the reader has no place in any channel.
   * @param index the channel that the cursor begins with; by default the first one with a place
   */
  cursor(positions: Positions, index = positions.places.findIndex(isId)): string | undefined {
    if (index < 0) return undefined;
    return `${this.names[index]}@${positions.places[index]}${this.#restOf(positions, index)}`;
  }

  /** Encodes the first events of a run of one channel for the connections at these positions. */
  step(before: Positions, index: number, run: EventRun): Step {
    if (this.connections === 1)
      return this.#encodeText(before, index, run) ?? this.#encode(before, index, run);
    const known = this.#steps?.get(before);
    if (known !== undefined && known.run === run) return known;
    if (this.#steps === undefined) {
      this.#steps = new Map();
      // The steps are kept for one turn only. More than a slice of the fair loop can encode is never kept.
      setImmediate(() => {
        this.#steps = undefined;
      });
    }
    const step = this.#encode(before, index, run);
    this.#steps.set(before, step);
    return step;
  }

  /**
   * Encodes a run of one small event for a single connection. A text takes a third of the time of bytes, because no memory has to
   * be allocated for it outside of the heap. Returns undefined for other runs.
   */
  #encodeText(before: Positions, index: number, run: EventRun): Step | undefined {
    const [event, second] = run.events;
    if (event === undefined || second !== undefined || recordLength(event) > LARGE_EVENT_BYTES / 2)
      return undefined;
    const idLine = `id: ${this.names[index]}@${event.id}${this.#restOf(before, index)}\n`;
    return this.#stepOf(before, index, run, 1, idLine + run.as(FRAME_TEXT));
  }

  #encode(before: Positions, index: number, run: EventRun): Step {
    const { bytes, starts } = frameSlices(run);
    const { events } = run;
    const suffix = `${this.#restOf(before, index)}\n`;
    const prefix = `id: ${this.names[index]}@`;
    const lines: string[] = [];
    let length = 0;
    for (const [at, event] of events.entries()) {
      const from = afterIdLine(starts, at, event);
      const shared = (starts[at + 1] as number) - from;
      const idLine = prefix + event.id + suffix;
      if (shared > LARGE_EVENT_BYTES && at === 0) {
        const large = { idLine, shared: bytes.subarray(from, from + shared) };
        return this.#stepOf(before, index, run, 1, large);
      }
      if (at > 0 && (shared > LARGE_EVENT_BYTES || length + idLine.length + shared > PIECE_BYTES)) break;
      lines.push(idLine);
      length += idLine.length + shared;
    }
    const own = sharedBytes(length, (target, start) => {
      let to = start;
      for (const [at, idLine] of lines.entries()) {
        to += target.write(idLine, to, 'latin1');
        to += bytes.copy(target, to, afterIdLine(starts, at, events[at] as StoredEvent), starts[at + 1]);
      }
    });
    return this.#stepOf(before, index, run, lines.length, own);
  }

  #stepOf(before: Positions, index: number, run: EventRun, count: number, bytes: Step['bytes']): Step {
    const last = run.events[count - 1] as StoredEvent;
    return {
      run,
      after: this.move(before, index, last.id),
      bytes,
      rest: count === run.events.length ? undefined : run.without(count),
    };
  }

  /** Returns the positions in the other channels. */
  #restOf({ texts }: Positions, index: number): string {
    let rest = '';
    for (let i = 0; i < texts.length; i++) if (i !== index) rest += (this.#labels[i] as string) + texts[i];
    return rest === '' ? '' : `,~${rest}`;
  }

  /** A connection that has caught up with others shares its positions with them again. */
  #shared(positions: Positions): Positions {
    if (this.connections === 1) return positions;
    const key = positions.texts.join('.');
    const interned = (this.#interned ??= new Map<string, Positions>());
    const known = interned.get(key);
    if (known !== undefined) return known;
    interned.set(key, positions);
    const [oldest] = interned.keys();
    if (interned.size > MAX_INTERNED && oldest !== undefined) interned.delete(oldest);
    return positions;
  }
}

function isId(place: Place): boolean {
  return place !== 'unreadable' && place !== 'not-begun';
}

/** Returns the offset after `id: <id>` and its line break. */
function afterIdLine(starts: readonly number[], index: number, { id }: StoredEvent): number {
  return (starts[index] as number) + 'id: \n'.length + id.length;
}
