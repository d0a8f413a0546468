import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Start } from '../../../src/events/cursor.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const EVENTS = 600;

interface Subscriber {
  readonly sink: RecordingSink;
  readonly start: Start;
}

/**
 * Checks the promise (docs/protocol.md §3) with a log that delays, loses, repeats and fails, and with subscribers of
 * every kind that join at any time. Nothing is trimmed, so no gap is allowed: every event arrives once, in order.
 */
describe.each([
  { name: 'delays', shakiness: { delay: 6 } },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 } },
  { name: 'repeated announcements', shakiness: { delay: 3, repetition: 0.4 } },
  { name: 'cuts', shakiness: { delay: 4 }, cuts: true },
  {
    name: 'everything at once',
    shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 },
    cuts: true,
  },
])('with $name', ({ shakiness, cuts = false }) => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('every subscriber gets every event, seed %i', async (seed) => {
    const fixture = new HubFixture(seed, shakiness);
    const { random } = fixture;
    const published: EventId[] = [];
    const subscribers: Subscriber[] = [];

    const join = (): void => {
      const slow = random() < 0.5 ? () => Math.floor(random() * 4) : () => 0;
      const sink = new RecordingSink(slow);
      const start = randomStart(random, published);
      fixture.subscribe(start, sink);
      subscribers.push({ sink, start });
    };

    for (let i = 0; i < EVENTS; i++) {
      published.push(await fixture.publish(String(i)));
      if (random() < 0.05) join();
      if (cuts && random() < 0.01) fixture.log.cut();
      if (cuts && random() < 0.05) await fixture.log.restore();
      if (random() < 0.3) await nextTurn();
    }
    // The next event, or a reconnect here, finds a lost last announcement.
    fixture.log.cut();
    await fixture.log.restore();
    await Promise.all(
      subscribers.map(({ sink }) => sink.until(() => sink.isReady && sink.position === published.at(-1))),
    );

    for (const { sink, start } of subscribers) {
      expect(sink.gaps).toEqual([]);
      expect(sink.isReady).toBe(true);
      const first = firstExpected(start, published, sink);
      expect(sink.ids).toEqual(published.slice(first));
    }
    await fixture.close();
  });
});

function randomStart(random: () => number, published: readonly EventId[]): Start {
  const kind = random();
  if (kind < 0.3 || published.length === 0) return { from: 'tail' };
  if (kind < 0.4) return { from: 'earliest' };
  if (kind < 0.45) return { from: 'id', id: ORIGIN };
  // Mostly a little behind the tail, like a reconnecting subscriber.
  const back = Math.floor(random() ** 3 * published.length);
  return { from: 'id', id: published[published.length - 1 - back] as EventId };
}

function firstExpected(start: Start, published: readonly EventId[], sink: RecordingSink): number {
  switch (start.from) {
    case 'id':
      return published.indexOf(start.id) + 1;
    case 'earliest':
      return 0;
    default: {
      // Events begin with the first one that the replica had not heard of when the subscriber joined. Only the replica
      // knows which one that is.
      const first = sink.ids[0];
      return first === undefined ? published.length : published.indexOf(first as EventId);
    }
  }
}
