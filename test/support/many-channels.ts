import { createParser } from 'eventsource-parser';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { parseCursor } from '../../src/events/cursor.ts';
import type { Start } from '../../src/events/cursor.ts';
import { EventRun } from '../../src/events/event-run.ts';
import type { RunView } from '../../src/events/event-run.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { Hub } from '../../src/delivery/hub.ts';
import type { GapNotice, Sink } from '../../src/delivery/sink.ts';
import type { Subscription } from '../../src/delivery/subscription.ts';
import { EVENT_FRAMES } from '../../src/stream/event-frames.ts';

/**
 * A prototype of one connection with many channels, built on `Sink` and `EventRun` alone. It proves that the two are
 * enough: `Hub`, `Channel`, `FanOut`, `Subscription` and `PageReader` need no change.
 *
 * An event's id names the positions of all channels. So the bytes of a run depend on the positions of the
 * connection's other channels. Connections with the same channels nearly always have the same positions. They share one
 * immutable {@link Positions} object. A run is encoded once for all connections that share the object, and moves all of
 * them to the same next object.
 */
export class ChannelSet {
  readonly channels: readonly ChannelName[];
  /** Counts deliveries, and the deliveries that needed an encoding of their own. */
  deliveries = 0;
  ownEncodings = 0;
  /** The last delivered run, and its steps by the positions at which they begin. */
  #run: EventRun | undefined;
  readonly #steps = new Map<Positions, Step>();
  /** The newest positions, by their text. */
  readonly #interned = new Map<string, Positions>();

  constructor(channels: readonly ChannelName[]) {
    this.channels = channels;
  }

  /** Returns the shared object for these positions. A connection that has caught up shares its encodings again. */
  positions(at: readonly EventId[]): Positions {
    const key = at.join(' ');
    const known = this.#interned.get(key);
    if (known !== undefined) return known;
    const made = { at };
    this.#interned.set(key, made);
    const [oldest] = this.#interned.keys();
    if (this.#interned.size > MAX_INTERNED && oldest !== undefined) this.#interned.delete(oldest);
    return made;
  }

  /** Encodes a run of one channel for a connection at these positions. */
  step(before: Positions, index: number, run: EventRun): Step {
    this.deliveries++;
    if (this.#run !== run) {
      this.#run = run;
      this.#steps.clear();
    }
    const known = this.#steps.get(before);
    if (known !== undefined) return known;
    this.ownEncodings++;
    const after = this.positions(before.at.with(index, run.to));
    const rest = this.channels.flatMap((name, i) => (i === index ? [] : [`${name}@${before.at[i]}`]));
    const bytes = run.as(withPositions(this.channels[index] as ChannelName, rest));
    const step = { after, bytes };
    this.#steps.set(before, step);
    return step;
  }
}

/** How many positions of connections with the same channels are shared at a time. */
const MAX_INTERNED = 32;

interface Positions {
  /** One position for each channel of the set, in the order of the set. */
  readonly at: readonly EventId[];
}

interface Step {
  readonly after: Positions;
  readonly bytes: Buffer;
}

/** Encodes a run as SSE frames whose ids name the positions of all channels: `<its channel>@<its id>,<the others>`. */
function withPositions(channel: ChannelName, rest: readonly string[]): RunView<Buffer> {
  return {
    encode(run) {
      const renamed = run.events.map((event) => ({
        ...event,
        id: [`${channel}@${event.id}`, ...rest].join(',') as EventId,
      }));
      return new EventRun(run.from, renamed).as(EVENT_FRAMES).plain;
    },
  };
}

/** One connection, read back by a foreign parser. A test can slow it down and cut it. */
export class ManyChannelConnection {
  /** The ids of the received events, by channel. */
  readonly received = new Map<ChannelName, string[]>();
  readonly gaps: GapNotice[] = [];
  lastEventId = '';
  ready = false;
  readonly #set: ChannelSet;
  readonly #hub: Hub;
  readonly #slowness: () => number;
  readonly #subscriptions: Subscription[] = [];
  #positions: Positions;
  #waiting: Set<number>;
  #blocked = false;
  #ended = false;
  readonly #parser = createParser({
    onEvent: ({ id = '' }) => {
      this.lastEventId = id;
      const [channel = '', own = ''] = id.split(',', 1)[0]?.split('@') ?? [];
      this.received.get(channel as ChannelName)?.push(own);
    },
  });

  constructor(hub: Hub, set: ChannelSet, lastEventId: string, slowness: () => number) {
    this.#hub = hub;
    this.#set = set;
    this.#slowness = slowness;
    this.lastEventId = lastEventId;
    this.#waiting = new Set(set.channels.keys());
    const starts = set.channels.map((name) => parseCursor(lastEventId, name));
    this.#positions = set.positions(starts.map(positionOf));
    for (const [index, name] of set.channels.entries()) {
      this.received.set(name, []);
      this.#subscriptions.push(hub.subscribe(name, starts[index] as Start, this.#sinkOf(index)));
    }
  }

  end(): void {
    this.#ended = true;
    for (const [index, subscription] of this.#subscriptions.entries())
      this.#hub.unsubscribe(this.#set.channels[index] as ChannelName, subscription);
  }

  #sinkOf(index: number): Sink {
    const writable = (): boolean => !this.#blocked && !this.#ended;
    return {
      get writable() {
        return writable();
      },
      deliver: (run) => {
        if (!writable()) throw new Error('written to while not writable');
        const { after, bytes } = this.#set.step(this.#positions, index, run);
        this.#positions = after;
        this.#parser.feed(bytes.toString());
        this.#slow();
      },
      gap: (notice) => void this.gaps.push(notice),
      waiting: () => undefined,
      ready: (_channel, position) => {
        this.#waiting.delete(index);
        // Before its first event, a channel's position is the one at which it went live.
        this.#positions = this.#set.positions(this.#positions.at.with(index, position));
        this.ready = this.#waiting.size === 0;
        if (this.ready)
          this.lastEventId = this.#set.channels
            .map((name, i) => `${name}@${this.#positions.at[i]}`)
            .join(',');
      },
    };
  }

  #slow(): void {
    const turns = this.#slowness();
    if (turns === 0) return;
    this.#blocked = true;
    const count = (left: number): void => {
      if (left > 0) {
        setImmediate(() => count(left - 1));
        return;
      }
      this.#blocked = false;
      for (const subscription of this.#subscriptions) subscription.resume();
    };
    count(turns);
  }
}

function positionOf(start: Start): EventId {
  return start.from === 'id' ? start.id : ORIGIN;
}
