import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN, compareEventIds } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const EVENTS = 400;

const fixture = hubFixtures();

/** Takes a millisecond for each write, so that the fan-out to several of them takes several turns. */
class LaboriousSink extends RecordingSink {
  override deliver(run: EventRun): void {
    const until = performance.now() + 1;
    while (performance.now() < until);
    super.deliver(run);
  }
}

async function ready(sink: RecordingSink): Promise<void> {
  await sink.until(({ isReady }) => isReady);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

/** Fails when an event is missing, or comes out of order, and no gap says so. */
function checkGaps(
  { received }: RecordingSink,
  published: readonly EventId[],
  start: EventId | undefined,
): void {
  let position = start;
  let told = false;
  for (const one of received) {
    if (one.kind === 'gap') told = true;
    if (one.kind !== 'event') continue;
    const id = one.id as EventId;
    if (position !== undefined) {
      expect(compareEventIds(id, position)).toBeGreaterThan(0);
      if (!told) expect(id).toBe(published[published.indexOf(position) + 1]);
    }
    position = id;
    told = false;
  }
}

describe.each([
  { name: 'delays', shakiness: { delay: 6 }, hears: true },
  { name: 'repeated announcements', shakiness: { delay: 3, repetition: 0.4 }, hears: true },
  { name: 'failed reads', shakiness: { delay: 3, failure: 0.1 }, hears: true },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 }, hears: false },
  {
    name: 'everything at once',
    shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 },
    hears: false,
  },
])('a channel that is cleared at any time, with $name', ({ shakiness, hears }) => {
  test.each([1, 2, 3, 4, 5, 6])('no event is missing without a gap, seed %i', async (seed) => {
    const one = fixture(seed, shakiness);
    const { random } = one;
    const published: EventId[] = [];
    let cleared: EventId = ORIGIN;
    const subscribers: { sink: RecordingSink; start: EventId | undefined; cleared: EventId }[] = [];
    for (let i = 0; i < EVENTS; i++) {
      published.push(await one.publish(String(i)));
      if (random() < 0.03) published.push((cleared = await one.clear()));
      if (random() < 0.1) {
        const sink = new RecordingSink(random() < 0.3 ? () => Math.floor(random() * 4) : undefined);
        const back = Math.floor(random() ** 3 * published.length);
        const start = random() < 0.3 ? undefined : published[published.length - 1 - back];
        one.subscribe(start === undefined ? { from: 'tail' } : { from: 'id', id: start }, sink);
        subscribers.push({ sink, start, cleared });
      }
      if (random() < 0.3) await nextTurn();
    }
    one.log.cut();
    await one.log.restore();
    const tail = published.at(-1);
    await Promise.all(subscribers.map(({ sink }) => sink.until(({ position }) => position === tail)));
    for (const subscriber of subscribers) {
      const { sink, start } = subscriber;
      checkGaps(sink, published, start);
      const [first = tail] = sink.ids as EventId[];
      // A replica that has heard of the clear gives no newcomer an event from before it.
      if (hears && first !== undefined)
        expect(compareEventIds(first, subscriber.cleared)).toBeGreaterThanOrEqual(0);
    }
  });
});

describe('when a channel is cleared', () => {
  test('a live subscriber gets all events before, then sluice:cleared, then the next events, without a gap', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    const ids: string[] = await one.publishMany(600);
    ids.push(await one.clear());
    ids.push(await one.publish('next'));
    await sink.until(({ position }) => position === ids.at(-1));
    expect([sink.ids, sink.gaps]).toEqual([ids, []]);
    const data = sink.received.flatMap((event) => (event.kind === 'event' ? [event.data] : []));
    expect(data.at(-2)).toBe('{"channel":"news"}');
  });

  test('also with a channel that keeps no events', async () => {
    const one = fixture(1, {}, { policy: { size: 0 } });
    const { sink } = one.subscribe();
    await ready(sink);
    const ids = [await one.publish('x'), await one.clear(), await one.publish('y')];
    await sink.until(({ position }) => position === ids.at(-1));
    expect([sink.ids, sink.gaps]).toEqual([ids, []]);
  });

  test('a subscriber that comes later gets a gap, and no earlier event from the memory of the replica', async () => {
    const one = fixture();
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids = await one.publishMany(5);
    // This page is kept.
    await ready(one.subscribe({ from: 'earliest' }).sink);
    const cleared = await one.clear();
    const next = await one.publish('next');
    for (const start of [
      { from: 'earliest' } as const,
      { from: 'id', id: ids[1] as EventId } as const,
      { from: 'id', id: ORIGIN } as const,
    ]) {
      const { sink } = one.subscribe(start);
      await ready(sink);
      const after = start.from === 'id' ? start.id : null;
      expect(sink.gaps).toEqual([{ channel: 'news', after, before: cleared }]);
      expect(sink.ids).toEqual([cleared, next]);
    }
    const { sink: atTail } = one.subscribe({ from: 'id', id: ids.at(-1) as EventId });
    await ready(atTail);
    expect([atTail.gaps, atTail.ids]).toEqual([[], [cleared, next]]);
  });

  test('a read of the log that began before is repeated', async () => {
    const one = fixture();
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids = await one.publishMany(300);
    await live.until(({ position }) => position === ids.at(-1));
    one.log.withholdPages();
    const { sink } = one.subscribe({ from: 'earliest' });
    await expect.poll(() => one.log.reads).toBe(1);
    // The log has made the page, and the replica has not got it yet.
    await turns();
    const cleared = await one.clear();
    one.log.releasePages();
    await ready(sink);
    expect(sink.ids).toEqual([cleared]);
    expect(sink.gaps).toEqual([{ channel: 'news', after: null, before: cleared }]);
    expect(one.log.reads).toBe(2);
  });

  test('a subscriber that takes nothing gets a gap for the events that it had not got', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    sink.blockAfterNextWrite();
    const first = await one.publish('first');
    await sink.until(({ position }) => position === first);
    await one.publishMany(3);
    const cleared = await one.clear();
    await turns();
    sink.unblock();
    await sink.until(({ position }) => position === cleared);
    expect(sink.gaps).toEqual([{ channel: 'news', after: first, before: cleared }]);
    expect(sink.ids).toEqual([first, cleared]);
  });

  test('a subscriber that comes while others still get the events before it does not get them', async () => {
    const one = fixture();
    const live = Array.from({ length: 64 }, () => one.subscribe({ from: 'tail' }, new LaboriousSink()).sink);
    await Promise.all(live.map(ready));
    const ids = await one.publishMany(3);
    const cleared = await one.clear();
    const { sink } = one.subscribe({ from: 'id', id: ids[0] as EventId });
    await ready(sink);
    expect(live.some(({ position }) => position === ORIGIN)).toBe(true);
    expect(sink.ids).toEqual([cleared]);
    expect(sink.gaps).toEqual([{ channel: 'news', after: ids[0], before: cleared }]);
    await Promise.all(live.map((each) => each.until(({ position }) => position === cleared)));
    for (const each of live) expect([each.ids, each.gaps]).toEqual([[...ids, cleared], []]);
  });

  test('its end is forgotten: subscribers stay, and events arrive', async () => {
    const one = fixture();
    const { sink: before } = one.subscribe();
    await ready(before);
    const end = await one.end(['x']);
    await before.until(({ ends }) => ends.length > 0);
    const cleared = await one.clear();
    const { sink } = one.subscribe({ from: 'id', id: end });
    await ready(sink);
    const next = await one.publish('next');
    await sink.until(({ position }) => position === next);
    expect([sink.ids, sink.ends, sink.gaps]).toEqual([[cleared, next], [], []]);
    expect(before.ends).toEqual([end]);
  });

  test('right after its end, a subscriber that has not got the end yet stays', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    const end = await one.end(['x']);
    const cleared = await one.clear();
    await sink.until(({ position }) => position === cleared);
    await turns();
    expect([sink.ids, sink.ends, sink.gaps]).toEqual([[end, cleared], [], []]);
  });
});
