import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import type { GapNotice } from '../../../src/delivery/sink.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import type { Start } from '../../../src/events/cursor.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { ChannelSets } from '../../../src/stream/channel-set.ts';
import type { HubFixture } from '../../support/hub-fixture.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import { RecordingSink } from '../../support/recording-sink.ts';
import { CHANNELS, SetReader } from '../../support/set-reader.ts';
import { StateView } from '../../support/state-view.ts';

const EVENTS = 300;
const KEYS = 12;
const NEWS = parseChannelName('news');

const fixture = hubFixtures();

/** Appends to a channel at random: values, deletions, events without a key, and now and then a clear. */
class KeyedPublisher {
  /** The state after each id. */
  readonly states = new Map<EventId, ReadonlyMap<string, number>>([[ORIGIN, new Map()]]);
  readonly ids: EventId[] = [ORIGIN];
  readonly #fixture: HubFixture;
  readonly #channel: ChannelName;

  constructor(one: HubFixture, channel: ChannelName) {
    this.#fixture = one;
    this.#channel = channel;
  }

  get state(): ReadonlyMap<string, number> {
    return this.states.get(this.ids.at(-1) as EventId) as ReadonlyMap<string, number>;
  }

  async publish(value: number): Promise<void> {
    const { random } = this.#fixture;
    const state = new Map(this.state);
    const kind = random();
    const key = `k${Math.floor(random() * KEYS)}`;
    if (kind < 0.1) {
      state.delete(key);
      this.#note(await this.#fixture.forget(key, this.#channel), state);
    } else if (kind < 0.25) {
      this.#note(await this.#fixture.publish('{}', this.#channel), state);
    } else if (kind < 0.27 && this.ids.length > 1) {
      this.#note(await this.#fixture.clear(this.#channel), new Map());
    } else {
      await this.set(key, value);
    }
  }

  async set(key: string, value: number): Promise<void> {
    const state = new Map(this.state).set(key, value);
    this.#note(await this.#fixture.set(key, value, this.#channel), state);
  }

  #note(id: EventId, state: ReadonlyMap<string, number>): void {
    this.ids.push(id);
    this.states.set(id, state);
  }
}

/** A stream with `?state` whose page keeps the state, and the cursor with which it would come back. */
class StateSink extends RecordingSink {
  readonly view: StateView;
  cursor: EventId | undefined;

  constructor(view: StateView, slowness?: () => number) {
    super(slowness);
    this.view = view;
  }

  override deliver(...args: Parameters<RecordingSink['deliver']>): void {
    const before = this.received.length;
    super.deliver(...args);
    for (const one of this.received.slice(before)) {
      if (one.kind !== 'event') continue;
      this.view.take(one.id as EventId, one.data);
      this.cursor = one.id as EventId;
    }
  }

  override gap(notice: GapNotice, position?: EventId): void {
    this.view.lose();
    this.cursor = position;
    super.gap(notice);
  }

  override ready(channel: ChannelName, position: EventId): void {
    this.cursor = position;
    super.ready(channel, position);
  }
}

/** A page with the start of its last connection. It comes back where it was. */
class StatePageReader {
  view = new StateView();
  gaps = 0;
  connections = 0;
  #start: Start = { from: 'state' };
  #sink: StateSink | undefined;
  #end: () => void = () => undefined;

  constructor(start?: { readonly id: EventId; readonly state: ReadonlyMap<string, number> }) {
    if (start === undefined) return;
    this.#start = { from: 'id', id: start.id, state: true };
    this.view = new StateView(start.state, start.id);
  }

  connect(one: HubFixture): void {
    const slow = one.random() < 0.4 ? () => Math.floor(one.random() * 4) : undefined;
    this.#sink = new StateSink(this.view, slow);
    this.connections++;
    this.#end = one.subscribe(this.#start, this.#sink).end;
  }

  cut(): void {
    this.#end();
    const { cursor, gaps } = this.#sink as StateSink;
    this.gaps += gaps.length;
    if (cursor !== undefined) this.#start = { from: 'id', id: cursor, state: true };
  }

  until(id: EventId): Promise<void> {
    return (this.#sink as StateSink).until(({ position }) => position === id);
  }
}

const WEATHER = [
  { name: 'nothing', shakiness: {} },
  { name: 'delays', shakiness: { delay: 6 } },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 } },
  { name: 'everything at once', shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 } },
];

describe.each(WEATHER)('with $name', ({ shakiness }) => {
  test.each([1, 2, 3, 4, 5, 6])(
    'every reader ends with the state of the channel, and no value is older than the one before it, seed %i',
    async (seed) => {
      const one = fixture(seed, shakiness, { policy: { size: [0, 5, 20, 1_000][seed % 4] as number } });
      one.log.latestLimit = 5;
      const { random } = one;
      const publisher = new KeyedPublisher(one, NEWS);
      const readers: StatePageReader[] = [];
      const join = (): void => {
        const back = Math.floor(random() ** 3 * publisher.ids.length);
        const id = publisher.ids[publisher.ids.length - 1 - back] as EventId;
        const state = publisher.states.get(id) as ReadonlyMap<string, number>;
        const reader = new StatePageReader(random() < 0.6 ? undefined : { id, state });
        reader.connect(one);
        readers.push(reader);
      };
      for (let i = 0; i < EVENTS; i++) {
        await publisher.publish(i);
        if (random() < 0.1) join();
        const reader = readers[Math.floor(random() * readers.length)];
        if (random() < 0.2 && reader !== undefined) {
          reader.cut();
          reader.connect(one);
        }
        if (random() < 0.3) await nextTurn();
      }
      // The last event is in the state, so that each reader gets it in any case.
      await publisher.set('last', EVENTS);
      one.log.cut();
      await one.log.restore();
      const tail = publisher.ids.at(-1) as EventId;
      await Promise.all(readers.map((reader) => reader.until(tail)));
      for (const { view } of readers) expect([view.values, view.disorder]).toEqual([publisher.state, []]);
      const { events } = await one.memory.readLatest(NEWS, undefined, { limit: 100, maxBytes: 1_000_000 });
      expect(events.length).toBe(publisher.state.size);
    },
  );

  test.each([1, 2, 3])('so does every reader of several channels, seed %i', async (seed) => {
    const one = fixture(seed, shakiness, { policy: { size: [0, 10, 1_000][seed % 3] as number } });
    one.log.latestLimit = 5;
    const { random } = one;
    const [loop, sets] = [new FairLoop(), new ChannelSets()];
    const publishers = CHANNELS.map((name) => new KeyedPublisher(one, name));
    const pages = Array.from({ length: 10 }, () => ({
      views: new Map(CHANNELS.map((name) => [name, new StateView()])),
      current: undefined as SetReader | undefined,
    }));
    const connect = (page: (typeof pages)[number]): void => {
      const slowness = random() < 0.4 ? () => Math.floor(random() * 4) : undefined;
      const lastEventId = page.current?.lastEventId ?? '';
      page.current?.end();
      page.current = new SetReader(one, loop, sets, {
        views: page.views,
        lastEventId,
        ...(slowness && { slowness }),
      });
    };
    for (let i = 0; i < EVENTS; i++) {
      await publishers[Math.floor(random() * CHANNELS.length)]?.publish(i);
      for (const page of pages) if (random() < 0.01) connect(page);
      if (random() < 0.3) await nextTurn();
    }
    for (const page of pages) if (page.current === undefined) connect(page);
    for (const publisher of publishers) await publisher.set('last', EVENTS);
    one.log.cut();
    await one.log.restore();
    const states = publishers.map(({ state }) => state);
    for (const { views, current } of pages) {
      await expect.poll(() => CHANNELS.map((name) => views.get(name)?.values)).toEqual(states);
      for (const { disorder } of views.values()) expect(disorder).toEqual([]);
      current?.end();
    }
  });
});
