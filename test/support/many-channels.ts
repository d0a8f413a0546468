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
 * A prototype of one connection with many channels, over nothing but `Sink` and `EventRun`. It is here to prove that the
 * two carry it: `Hub`, `Channel`, `FanOut`, `Subscription` and `PageReader` know nothing of it.
 *
 * The id of an event names the positions of all channels, so the bytes of a run depend on where the connection's other
 * channels stand. Connections with the same channels nearly always stand at the same places. They share one immutable
 * {@link Positions}; a run is encoded once for all who share it, and moves all of them to the same next one.
 */
export class ChannelSet {
  readonly channels: readonly ChannelName[];
  /** Deliveries, and those among them that needed an encoding of their own. */
  deliveries = 0;
  ownEncodings = 0;
  /** The run that was delivered last, and its steps by where they begin. */
  #run: EventRun | undefined;
  readonly #steps = new Map<Positions, Step>();
  /** By the positions in one text; the newest ones. */
  readonly #interned = new Map<string, Positions>();

  constructor(channels: readonly ChannelName[]) {
    this.channels = channels;
  }

  /** The shared object for these positions: a connection that has caught up is one of many again. */
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

  /** What a run of one channel is for a connection that stands at these positions. */
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

/** Places at which connections with the same channels stand at one moment, of those that are shared. */
const MAX_INTERNED = 32;

interface Positions {
  /** Of each channel of the set, in its order. */
  readonly at: readonly EventId[];
}

interface Step {
  readonly after: Positions;
  readonly bytes: Buffer;
}

/** A run as SSE frames whose ids name the positions of all channels: `<its channel>@<its id>,<the others>`. */
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

/** One connection, read back by a parser that is not ours. It can be slow, and it can be cut. */
export class ManyChannelConnection {
  /** The ids of the events that came, by channel. */
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
        // Before its first event a channel stands where it went live.
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
