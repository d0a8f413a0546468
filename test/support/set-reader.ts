import { createParser } from 'eventsource-parser';
import type { FairLoop } from '../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { parseCursor, withState } from '../../src/events/cursor.ts';
import type { EventId } from '../../src/events/event.ts';
import { ChannelSetStream } from '../../src/stream/channel-set-stream.ts';
import type { ChannelSet, ChannelSets } from '../../src/stream/channel-set.ts';
import { encodeReady } from '../../src/stream/broker-events.ts';
import type { SharedBytes } from '../../src/stream/shared-bytes.ts';
import type { HubFixture } from './hub-fixture.ts';
import type { StateView } from './state-view.ts';

export const CHANNELS = ['orders', 'stock', 'chat', 'presence', 'news'].map((name) => parseChannelName(name));

export const never = (): number => 0;

interface SetReaderOptions {
  readonly lastEventId?: string;
  readonly channels?: readonly ChannelName[];
  /** How many turns of the event loop the socket is full after a write. */
  readonly slowness?: () => number;
  /** The states of the channels so far. With them, the stream is one with `?state`. */
  readonly views?: ReadonlyMap<string, StateView>;
}

/** The socket of a stream with many channels. A foreign parser reads its bytes. */
export class SetReader {
  /** The ids of the received events, by channel. */
  readonly received = new Map<string, string[]>();
  readonly gaps: unknown[] = [];
  /** The channels that have ended, in the order in which the stream said so. */
  readonly ends: string[] = [];
  /** Buffers that may be shared with other readers. */
  readonly buffers = new Set<Buffer>();
  readonly #views: ReadonlyMap<string, StateView> | undefined;
  lastEventId: string;
  readies = 0;
  finished = false;
  writable = true;
  readonly stream: ChannelSetStream;
  readonly #sets: ChannelSets;
  readonly #set: ChannelSet;
  readonly #slowness: () => number;
  readonly #parser = createParser({
    onEvent: ({ id = '', event, data }) => {
      this.lastEventId = id;
      const [channel = '', own = ''] = id.split(',', 1)[0]?.split('@') ?? [];
      if (event === 'sluice:gap') {
        this.gaps.push(JSON.parse(data));
        this.#views?.get(channel)?.lose();
      } else if (event === 'sluice:ready') this.readies++;
      else if (event === 'sluice:end') this.ends.push(channel);
      else {
        this.received.set(channel, [...(this.received.get(channel) ?? []), own]);
        this.#views?.get(channel)?.take(own as EventId, data);
      }
    },
  });

  constructor(
    { hub }: HubFixture,
    loop: FairLoop,
    sets: ChannelSets,
    { lastEventId = '', channels = CHANNELS, slowness = never, views }: SetReaderOptions,
  ) {
    this.lastEventId = lastEventId;
    this.#slowness = slowness;
    this.#views = views;
    this.#sets = sets;
    this.#set = sets.acquire(channels);
    const cursor = parseCursor(lastEventId, this.#set.names);
    const starts = views === undefined ? cursor : cursor.map(withState);
    this.stream = new ChannelSetStream({ hub, loop, connection: this, set: this.#set, starts });
  }

  get ready(): boolean {
    return this.readies > 0;
  }

  write(own: string, shared?: SharedBytes): void {
    this.#take(Buffer.from(own, 'latin1').toString() + (shared?.plain.toString() ?? ''));
  }

  writeShared({ plain }: SharedBytes): void {
    if (!this.writable) throw new Error('written to while not writable');
    this.buffers.add(plain);
    this.#take(plain.toString());
  }

  writeNotice(text: string): void {
    this.#take(text);
  }

  writeReady(...ready: Parameters<typeof encodeReady>): void {
    this.#take(encodeReady(...ready));
  }

  finish(last: string): void {
    this.#take(last);
    this.finished = true;
    this.end();
  }

  end(): void {
    this.stream.end();
    this.#sets.release(this.#set);
  }

  #take(text: string): void {
    this.#parser.feed(text);
    const turns = this.#slowness();
    if (turns === 0 || !this.writable) return;
    this.writable = false;
    const count = (left: number): void => {
      if (left > 0) {
        setImmediate(() => count(left - 1));
        return;
      }
      this.writable = true;
      this.stream.resume();
    };
    count(turns);
  }
}

/** Comes back with its last id whenever its connection is lost, each time with some of the channels. */
export class RovingSetReader {
  readonly received = new Map<string, string[]>(CHANNELS.map((name) => [name, []]));
  readonly gaps: unknown[] = [];
  current: SetReader | undefined;
  lastEventId = CHANNELS.map((name) => `${name}@0-0`).join(',');

  connect(fixture: HubFixture, loop: FairLoop, sets: ChannelSets, options: SetReaderOptions): void {
    this.current = new SetReader(fixture, loop, sets, { ...options, lastEventId: this.lastEventId });
  }

  leave(): void {
    const { current } = this;
    if (current === undefined) return;
    current.end();
    // A stream that the broker ends gives the cursor in sluice:closing. It has to be the same place.
    this.lastEventId = current.lastEventId;
    for (const [name, ids] of current.received) this.received.get(name)?.push(...ids);
    this.gaps.push(...current.gaps);
    this.current = undefined;
  }

  idsOf(channel: ChannelName): string[] {
    return [...(this.received.get(channel) ?? []), ...(this.current?.received.get(channel) ?? [])];
  }
}
