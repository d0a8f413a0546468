import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { parseCursor } from '../../../src/events/cursor.ts';
import type { EventId } from '../../../src/events/event.ts';
import { ChannelSets } from '../../../src/stream/channel-set.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { CHANNELS, RovingSetReader, SetReader, never } from '../../support/set-reader.ts';

const EVENTS = 600;
const [ORDERS, STOCK, CHAT] = CHANNELS as [ChannelName, ChannelName, ChannelName];

describe.each([
  { name: 'delays', shakiness: { delay: 6 } },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 } },
  { name: 'repeated announcements', shakiness: { delay: 3, repetition: 0.4 } },
  { name: 'everything at once', shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 } },
])('many channels that end on one connection, with $name', ({ shakiness }) => {
  test.each([1, 2, 3, 4])(
    'every reader gets every event, then the end of each channel, and its stream ends with the last, seed %i',
    async (seed) => {
      const fixture = new HubFixture(seed, shakiness);
      const { random } = fixture;
      const [loop, sets] = [new FairLoop(), new ChannelSets()];
      const published = new Map<ChannelName, EventId[]>(CHANNELS.map((name) => [name, []]));
      const open = [...CHANNELS];
      const readers = Array.from({ length: 12 }, () => new RovingSetReader());
      for (let i = 0; i < EVENTS; i++) {
        for (const [n, reader] of readers.entries()) {
          if (reader.current === undefined && random() < 0.2)
            reader.connect(fixture, loop, sets, {
              slowness: n % 3 === 0 ? () => Math.floor(random() * 4) : never,
            });
          else if (random() < 0.01) reader.leave();
        }
        const channel = open[Math.floor(random() * open.length)] as ChannelName;
        published.get(channel)?.push(await fixture.publish(String(i), channel));
        if (open.length > 1 && random() < 0.01) {
          open.splice(open.indexOf(channel), 1);
          published.get(channel)?.push(await fixture.end(['last'], channel));
        }
        if (random() < 0.3) await nextTurn();
      }
      for (const channel of open) published.get(channel)?.push(await fixture.end(['last'], channel));
      for (const reader of readers) if (reader.current === undefined) reader.connect(fixture, loop, sets, {});
      // A reconnect to the log finds a lost last announcement.
      fixture.log.cut();
      await fixture.log.restore();
      await expect.poll(() => readers.every(({ current }) => current?.finished)).toBe(true);
      for (const reader of readers) {
        const { ends = [], readies = 0, gaps = [] } = reader.current ?? {};
        expect(CHANNELS.map((name) => reader.idsOf(name))).toEqual([...published.values()]);
        expect(ends.toSorted()).toEqual(CHANNELS.toSorted());
        expect(readies).toBeLessThanOrEqual(1);
        expect([...reader.gaps, ...gaps]).toEqual([]);
        reader.leave();
        // The last id names the end of every channel, so the next answer can be 204.
        const starts = parseCursor(reader.lastEventId, CHANNELS);
        expect(starts).toEqual([...published.values()].map((ids) => ({ from: 'id', id: ids.at(-1) })));
      }
      await fixture.close();
    },
  );
});

describe('a stream with two channels', () => {
  let fixture: HubFixture;
  let reader: SetReader;
  const listen = (lastEventId = ''): SetReader =>
    new SetReader(fixture, new FairLoop(), new ChannelSets(), { channels: [ORDERS, STOCK], lastEventId });
  beforeEach(() => {
    fixture = new HubFixture();
  });
  afterEach(async () => {
    reader.end();
    await fixture.close();
  });

  test('goes on with the other channel when one has ended', async () => {
    reader = listen();
    await expect.poll(() => reader.ready).toBe(true);
    await fixture.end(['last'], ORDERS);
    await expect.poll(() => reader.ends).toEqual([ORDERS]);
    const next = await fixture.publish('next', STOCK);
    await expect.poll(() => reader.received.get(STOCK)).toEqual([next]);
    expect(reader.finished).toBe(false);
    await fixture.end([], STOCK);
    await expect.poll(() => reader.finished).toBe(true);
    expect(reader.ends).toEqual([ORDERS, STOCK]);
  });

  test('is ready when one channel is live and the other has ended', async () => {
    await fixture.end(['last'], ORDERS);
    reader = listen();
    await expect.poll(() => reader.ready).toBe(true);
    expect(reader.ends).toEqual([ORDERS]);
  });

  test('does not say that it is ready when both channels have ended', async () => {
    await fixture.end([], ORDERS);
    await fixture.end(['last'], STOCK);
    reader = listen();
    await expect.poll(() => reader.finished).toBe(true);
    expect(reader.readies).toBe(0);
  });

  test('keeps the place in an ended channel in its ids, so that a reader of more channels does not get it again', async () => {
    await fixture.end(['last'], ORDERS);
    reader = listen(`${ORDERS}@0-0,${STOCK}@0-0`);
    await expect.poll(() => reader.ends).toEqual([ORDERS]);
    await fixture.publish('x', STOCK);
    await expect.poll(() => reader.received.get(STOCK)?.length).toBe(1);
    reader.end();
    reader = new SetReader(fixture, new FairLoop(), new ChannelSets(), {
      channels: [ORDERS, STOCK, CHAT],
      lastEventId: reader.lastEventId,
    });
    await expect.poll(() => reader.ready).toBe(true);
    expect([...reader.received.keys(), ...reader.ends]).toEqual([ORDERS]);
  });
});
