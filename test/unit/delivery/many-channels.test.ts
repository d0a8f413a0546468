import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { ChannelSet, ManyChannelConnection } from '../../support/many-channels.ts';

const CHANNELS = ['orders', 'stock', 'chat', 'presence', 'news'].map((name) => parseChannelName(name));
const EVENTS = 600;

/** A reader that sometimes loses its connection and returns with its last id. */
class Reader {
  readonly received = new Map<ChannelName, string[]>(CHANNELS.map((name) => [name, []]));
  readonly gaps: unknown[] = [];
  connection: ManyChannelConnection | undefined;
  #lastEventId: string;

  constructor(lastEventId: string) {
    this.#lastEventId = lastEventId;
  }

  connect(fixture: HubFixture, set: ChannelSet, slowness: () => number): void {
    this.connection = new ManyChannelConnection(fixture.hub, set, this.#lastEventId, slowness);
  }

  leave(): void {
    const { connection } = this;
    if (connection === undefined) return;
    connection.end();
    this.#lastEventId = connection.lastEventId;
    for (const [name, ids] of connection.received) this.received.get(name)?.push(...ids);
    this.gaps.push(...connection.gaps);
    this.connection = undefined;
  }

  /** The ids of a channel's events, from all connections. */
  idsOf(channel: ChannelName): string[] {
    return [...(this.received.get(channel) ?? []), ...(this.connection?.received.get(channel) ?? [])];
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
      const set = new ChannelSet(CHANNELS);
      const published = new Map<ChannelName, string[]>(CHANNELS.map((name) => [name, []]));
      const readers = Array.from(
        { length: 12 },
        () => new Reader(CHANNELS.map((name) => `${name}@0-0`).join(',')),
      );
      for (let i = 0; i < EVENTS; i++) {
        for (const [n, reader] of readers.entries()) {
          if (reader.connection === undefined && random() < 0.2)
            reader.connect(fixture, set, n % 3 === 0 ? () => Math.floor(random() * 4) : () => 0);
          else if (random() < 0.01) reader.leave();
        }
        const channel = CHANNELS[Math.floor(random() * CHANNELS.length)] as ChannelName;
        published.get(channel)?.push(await fixture.publish(String(i), channel));
        if (random() < 0.3) await nextTurn();
      }
      for (const reader of readers)
        if (reader.connection === undefined) reader.connect(fixture, set, () => 0);
      // A reconnect to the log finds a lost last announcement.
      fixture.log.cut();
      await fixture.log.restore();
      for (const reader of readers) {
        await expect
          .poll(() => CHANNELS.map((name) => reader.idsOf(name)))
          .toEqual(CHANNELS.map((name) => published.get(name)));
        expect(reader.gaps).toEqual([]);
      }
      await fixture.close();
    },
  );
});

test('connections at the same positions share one encoding', async () => {
  const fixture = new HubFixture(1, { delay: 2 });
  const { random } = fixture;
  const set = new ChannelSet(CHANNELS);
  const connections = Array.from(
    { length: 200 },
    (_, i) =>
      new ManyChannelConnection(
        fixture.hub,
        set,
        '',
        i % 20 === 0 ? () => Math.floor(random() * 3) : () => 0,
      ),
  );
  await expect.poll(() => connections.every(({ ready }) => ready)).toBe(true);
  for (let i = 0; i < 500; i++) {
    await fixture.publish(String(i), CHANNELS[Math.floor(random() * CHANNELS.length)]);
    if (random() < 0.5) await nextTurn();
  }
  await expect
    .poll(() => connections.every(({ received }) => received.get(CHANNELS[0] as ChannelName)))
    .toBeTruthy();
  await nextTurn();
  expect(set.ownEncodings / set.deliveries).toBeLessThan(0.12);
  await fixture.close();
});
