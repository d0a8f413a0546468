import { createParser } from 'eventsource-parser';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { parseCursor } from '../../../src/events/cursor.ts';
import { ChannelSetStream } from '../../../src/stream/channel-set-stream.ts';
import { ChannelSets } from '../../../src/stream/channel-set.ts';
import type { ChannelSet } from '../../../src/stream/channel-set.ts';
import type { SharedBytes } from '../../../src/stream/shared-bytes.ts';
import { HubFixture } from '../../support/hub-fixture.ts';

const CHANNELS = ['orders', 'stock', 'chat', 'presence', 'news'].map((name) => parseChannelName(name));
const EVENTS = 600;

const never = (): number => 0;

interface ReaderOptions {
  readonly lastEventId?: string;
  readonly channels?: readonly ChannelName[];
  /** How many turns of the event loop the socket is full after a write. */
  readonly slowness?: () => number;
}

/** The socket of a stream. A foreign parser reads its bytes. */
class Reader {
  /** The ids of the received events, by channel. */
  readonly received = new Map<string, string[]>();
  readonly gaps: unknown[] = [];
  /** Buffers that may be shared with other readers. */
  readonly buffers = new Set<Buffer>();
  lastEventId: string;
  ready = false;
  writable = true;
  readonly stream: ChannelSetStream;
  readonly #sets: ChannelSets;
  readonly #set: ChannelSet;
  readonly #slowness: () => number;
  readonly #parser = createParser({
    onEvent: ({ id = '', event, data }) => {
      this.lastEventId = id;
      const [channel = '', own = ''] = id.split(',', 1)[0]?.split('@') ?? [];
      if (event === 'sluice:gap') this.gaps.push(JSON.parse(data));
      else if (event === 'sluice:ready') this.ready = true;
      else this.received.set(channel, [...(this.received.get(channel) ?? []), own]);
    },
  });

  constructor(
    { hub }: HubFixture,
    loop: FairLoop,
    sets: ChannelSets,
    { lastEventId = '', channels = CHANNELS, slowness = never }: ReaderOptions,
  ) {
    this.lastEventId = lastEventId;
    this.#slowness = slowness;
    this.#sets = sets;
    this.#set = sets.acquire(channels);
    const starts = parseCursor(lastEventId, this.#set.names);
    this.stream = new ChannelSetStream({ hub, loop, connection: this, set: this.#set, starts });
  }

  write(own: string, shared?: Buffer, encoding?: 'latin1'): void {
    this.#take(Buffer.from(own, encoding).toString() + (shared?.toString() ?? ''));
  }

  writeShared({ plain }: SharedBytes): void {
    if (!this.writable) throw new Error('written to while not writable');
    this.buffers.add(plain);
    this.#take(plain.toString());
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
class RovingReader {
  readonly received = new Map<string, string[]>(CHANNELS.map((name) => [name, []]));
  readonly gaps: unknown[] = [];
  current: Reader | undefined;
  lastEventId = CHANNELS.map((name) => `${name}@0-0`).join(',');

  connect(fixture: HubFixture, loop: FairLoop, sets: ChannelSets, options: ReaderOptions): void {
    this.current = new Reader(fixture, loop, sets, { ...options, lastEventId: this.lastEventId });
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

describe.each([
  { name: 'nothing', shakiness: {} },
  { name: 'delays', shakiness: { delay: 6 } },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 } },
  { name: 'repeated announcements', shakiness: { delay: 3, repetition: 0.4 } },
  { name: 'everything at once', shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 } },
])('many channels on one connection, with $name', ({ shakiness }) => {
  test.each([1, 2, 3, 4, 5, 6])(
    'every reader gets every event of every channel once, seed %i',
    async (seed) => {
      const fixture = new HubFixture(seed, shakiness);
      const { random } = fixture;
      const [loop, sets] = [new FairLoop(), new ChannelSets()];
      const published = new Map<ChannelName, string[]>(CHANNELS.map((name) => [name, []]));
      const readers = Array.from({ length: 12 }, () => new RovingReader());
      for (let i = 0; i < EVENTS; i++) {
        for (const [n, reader] of readers.entries()) {
          if (reader.current === undefined && random() < 0.2)
            reader.connect(fixture, loop, sets, {
              slowness: n % 3 === 0 ? () => Math.floor(random() * 4) : never,
              channels: n % 2 === 0 ? CHANNELS.toReversed() : CHANNELS,
            });
          else if (random() < 0.01) reader.leave();
        }
        const channel = CHANNELS[Math.floor(random() * CHANNELS.length)] as ChannelName;
        published.get(channel)?.push(await fixture.publish(String(i), channel));
        if (random() < 0.3) await nextTurn();
      }
      for (const reader of readers) if (reader.current === undefined) reader.connect(fixture, loop, sets, {});
      // A reconnect to the log finds a lost last announcement.
      fixture.log.cut();
      await fixture.log.restore();
      for (const reader of readers) {
        await expect
          .poll(() => CHANNELS.map((name) => reader.idsOf(name)))
          .toEqual(CHANNELS.map((name) => published.get(name)));
        expect([...reader.gaps, ...(reader.current?.gaps ?? [])]).toEqual([]);
      }
      await fixture.close();
    },
  );
});

test('a channel that leaves and comes back starts live; the channels that stay miss nothing', async () => {
  const fixture = new HubFixture(3, { delay: 2 });
  const { random } = fixture;
  const [loop, sets] = [new FairLoop(), new ChannelSets()];
  const [stays, ...others] = CHANNELS as [ChannelName, ...ChannelName[]];
  const reader = new RovingReader();
  const published: string[] = [];
  for (let i = 0; i < 60; i++) {
    const channels = [stays, ...others.filter(() => random() < 0.5)];
    reader.connect(fixture, loop, sets, { channels });
    for (let n = 0; n < 5; n++) {
      published.push(await fixture.publish(String(n), stays));
      await fixture.publish(String(n), others[Math.floor(random() * others.length)]);
      if (random() < 0.4) await nextTurn();
    }
    reader.leave();
  }
  reader.connect(fixture, loop, sets, {});
  await expect.poll(() => reader.idsOf(stays)).toEqual(published);
  for (const name of others) {
    const ids = reader.idsOf(name);
    expect(new Set(ids).size).toBe(ids.length);
  }
  await fixture.close();
});

test('a run whose ids are longer than its events is written piece by piece, and can be left between two pieces', async () => {
  const fixture = new HubFixture();
  const [loop, sets] = [new FairLoop(), new ChannelSets()];
  const channels = Array.from({ length: 100 }, (_, i) => parseChannelName(`${'long-name-'.repeat(19)}${i}`));
  const channel = channels[0] as ChannelName;
  const ids: string[] = [];
  for (let i = 0; i < 200; i++)
    ids.push(await fixture.publish(i === 100 ? 'x'.repeat(50_000) : String(i), channel));
  let lastEventId = channels.map((name) => `${name}@0-0`).join(',');
  const got: string[] = [];
  let connections = 0;
  while (got.length < ids.length) {
    connections++;
    const left = Promise.withResolvers<void>();
    const reader: Reader = new Reader(fixture, loop, sets, {
      lastEventId,
      channels,
      slowness: () => {
        if (reader.received.size > 0) {
          reader.end();
          left.resolve();
        }
        return 0;
      },
    });
    await left.promise;
    got.push(...(reader.received.get(channel) ?? []));
    ({ lastEventId } = reader);
    expect(lastEventId.length).toBeLessThan(1_536);
    expect(reader.gaps).toEqual([]);
    for (const { length } of reader.buffers) expect(length).toBeLessThan(64 * 1024);
  }
  expect(got).toEqual(ids);
  expect(connections).toBeGreaterThan(4);
  await fixture.close();
});

test('connections at the same positions share one encoding', async () => {
  const fixture = new HubFixture(1, { delay: 2 });
  const { random } = fixture;
  const [loop, sets] = [new FairLoop(), new ChannelSets()];
  const readers = Array.from(
    { length: 200 },
    (_, i) =>
      new Reader(fixture, loop, sets, { slowness: i % 20 === 0 ? () => Math.floor(random() * 3) : never }),
  );
  await expect.poll(() => readers.every(({ ready }) => ready)).toBe(true);
  let last = '';
  for (let i = 0; i < 500; i++) {
    last = await fixture.publish(String(i), CHANNELS[i === 499 ? 0 : Math.floor(random() * CHANNELS.length)]);
    if (random() < 0.5) await nextTurn();
  }
  await expect
    .poll(() => readers.every(({ received }) => received.get(CHANNELS[0] as ChannelName)?.at(-1) === last))
    .toBe(true);
  const written = readers.reduce((sum, { buffers }) => sum + buffers.size, 0);
  let encoded = new Set<Buffer>();
  for (const { buffers } of readers) encoded = encoded.union(buffers);
  expect(encoded.size / written).toBeLessThan(0.12);
  await fixture.close();
});
