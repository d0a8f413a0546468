import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const fixtures: HubFixture[] = [];

/** Takes as long as writing to a hundred ordinary sockets. */
function costly(): number {
  const until = performance.now() + 0.5;
  while (performance.now() < until);
  return 0;
}

function fixture(...args: ConstructorParameters<typeof HubFixture>): HubFixture {
  const made = new HubFixture(...args);
  fixtures.push(made);
  return made;
}

async function ready(...sinks: readonly RecordingSink[]): Promise<void> {
  await Promise.all(sinks.map((sink) => sink.until(({ isReady }) => isReady)));
}

function got(sink: RecordingSink, id: EventId): Promise<void> {
  return sink.until(({ position }) => position === id);
}

afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((one) => one.close()));
});

describe('law 1, Chain,', () => {
  test('one lost announcement is read from the log once, for all subscribers', async () => {
    const one = fixture();
    const sinks = Array.from({ length: 200 }, () => one.subscribe().sink);
    await ready(...sinks);
    const first = await one.publish('first');
    await Promise.all(sinks.map((sink) => got(sink, first)));
    const readsBefore = one.log.reads;

    one.log.loseNext();
    const lost = await one.publish('lost');
    const next = await one.publish('next');
    await Promise.all(sinks.map((sink) => got(sink, next)));

    for (const sink of sinks) expect(sink.ids).toEqual([first, lost, next]);
    expect(one.log.reads - readsBefore).toBe(1);
    expect(one.counts.of).toMatchObject({ heals: 1, gaps: 0 });
  });

  test('a hole that the log cannot close is a gap for every subscriber', async () => {
    const one = fixture(1, {}, { policy: { size: 3 } });
    const sinks = [one.subscribe().sink, one.subscribe().sink];
    await ready(...sinks);
    const first = await one.publish('first');
    await Promise.all(sinks.map((sink) => got(sink, first)));

    one.log.cut();
    const ids = await one.publishMany(10);
    await one.log.restore();
    const last = ids.at(-1) as EventId;
    await Promise.all(sinks.map((sink) => got(sink, last)));
    for (const sink of sinks) {
      expect(sink.gaps).toEqual([{ channel: 'news', after: first, before: ids[7] }]);
      expect(sink.ids).toEqual([first, ...ids.slice(-3)]);
    }
  });

  test('a repeated announcement is dropped', async () => {
    const one = fixture(1, { repetition: 1 });
    const { sink } = one.subscribe();
    await ready(sink);
    const ids = await one.publishMany(20);
    await got(sink, ids.at(-1) as EventId);
    expect(sink.ids).toEqual(ids);
  });
});

describe('law 3, Reconnect,', () => {
  test('an event that was appended after a read began, without an announcement, arrives too', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    one.log.withholdPages();
    one.log.loseNext();
    await one.publish('lost');
    await one.publish('shows that one was lost');
    one.log.cut();
    const last = await one.publish('unheard');
    await one.log.restore();
    one.log.releasePages();
    await got(sink, last);
    expect(sink.ids).toHaveLength(3);
  });

  test('an event whose announcement was lost arrives after a reconnect, without another event', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    one.log.cut();
    const ids = await one.publishMany(5);
    await one.log.restore();
    await got(sink, ids.at(-1) as EventId);
    expect(sink.ids).toEqual(ids);
    expect(sink.gaps).toEqual([]);
  });

  test('a log that came back with older ids is a gap, and later events are delivered', async () => {
    const one = fixture();
    const { sink } = one.subscribe({ from: 'id', id: '99999999999999-0' as EventId });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: '99999999999999-0', before: null }]);
    const id = await one.publish('later');
    await got(sink, id);
    expect(sink.ids).toEqual([id]);
  });

  test('no subscription goes live while announcements do not arrive', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    one.log.cut();
    const late = one.subscribe().sink;
    const id = await one.publish('meanwhile');
    await one.log.restore();
    await ready(late);
    await got(sink, id);
    expect(late.position).toBe(id);
  });
});

describe('law 5, Bounded,', () => {
  test('a subscriber that takes nothing is not written to, and gets everything when it takes data again', async () => {
    const one = fixture();
    const slow = one.subscribe().sink;
    const quick = one.subscribe().sink;
    await ready(slow, quick);
    slow.blockAfterNextWrite();
    const ids = await one.publishMany(2_000);
    await got(quick, ids.at(-1) as EventId);
    const writes = slow.writes;
    await one.publish('one more');
    await nextTurn();
    expect(slow.writes).toBe(writes);

    slow.unblock();
    const last = await one.publish('the last');
    await got(slow, last);
    await got(quick, last);
    expect(slow.ids).toEqual(quick.ids);
    expect(slow.gaps).toEqual([]);
  });

  test('a thousand subscribers at the same position share one read', async () => {
    const one = fixture(1, { delay: 3 });
    const ids = await one.publishMany(1_000);
    const sinks = Array.from(
      { length: 1_000 },
      () => one.subscribe({ from: 'id', id: ids[0] as EventId }).sink,
    );
    await Promise.all(sinks.map((sink) => got(sink, ids.at(-1) as EventId)));
    for (const sink of sinks) expect(sink.ids).toEqual(ids.slice(1));
    expect(one.log.reads).toBeLessThan(20);
  });

  test('subscribers whose position lies inside a page share the page', async () => {
    const one = fixture(1, { delay: 3 });
    const ids = await one.publishMany(300);
    const sinks = ids.slice(0, 200).map((id) => one.subscribe({ from: 'id', id }).sink);
    await Promise.all(sinks.map((sink) => got(sink, ids.at(-1) as EventId)));
    for (const [index, sink] of sinks.entries()) expect(sink.ids).toEqual(ids.slice(index + 1));
    expect(one.log.reads).toBeLessThan(30);
  });
});

describe('law 7, Fair,', () => {
  test('all events of one turn of the event loop are one write', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    const before = sink.writes;
    const ids = await Promise.all(Array.from({ length: 100 }, (_, i) => one.publish(String(i))));
    await got(sink, ids.at(-1) as EventId);
    expect(sink.writes - before).toBe(1);
    expect(sink.ids).toEqual(ids);
  });

  test('a walk over many subscribers gives other work its turn', async () => {
    const one = fixture();
    const sinks = Array.from(
      { length: 200 },
      () => one.subscribe({ from: 'tail' }, new RecordingSink(costly)).sink,
    );
    await ready(...sinks);
    let turns = 0;
    let walking = true;
    const count = (): void => {
      turns++;
      if (walking) setImmediate(count);
    };
    count();
    const id = await one.publish('to all');
    await Promise.all(sinks.map((sink) => got(sink, id)));
    walking = false;
    // 200 writes take half a millisecond each. A walk without pauses would be one turn.
    expect(turns).toBeGreaterThan(5);
    for (const sink of sinks) expect(sink.ids).toEqual([id]);
  });

  test('subscribers that join or leave during a walk do not affect the others', async () => {
    const one = fixture();
    const subscribers = Array.from({ length: 300 }, () => one.subscribe());
    await ready(...subscribers.map(({ sink }) => sink));
    const ids: EventId[] = [];
    for (let i = 0; i < 50; i++) {
      ids.push(await one.publish(String(i)));
      await nextTurn();
      subscribers.splice(Math.floor(one.random() * subscribers.length), 1)[0]?.end();
      subscribers.push(one.subscribe());
    }
    const last = await one.publish('last');
    await Promise.all(subscribers.map(({ sink }) => got(sink, last)));
    for (const { sink } of subscribers) {
      const all = [...ids, last];
      expect(sink.ids).toEqual(all.slice(all.indexOf(sink.ids[0] as EventId)));
    }
  });
});

test('subscribing and leaving again and again follows the channel once', async () => {
  const one = fixture();
  for (let i = 0; i < 100; i++) {
    const { sink, end } = one.subscribe();
    await ready(sink);
    end();
  }
  expect(one.log.follows).toBe(1);
});

test('on a channel without events, a cursor at the origin gets no gap', async () => {
  const one = fixture();
  const { sink } = one.subscribe({ from: 'id', id: ORIGIN });
  await ready(sink);
  expect(sink.gaps).toEqual([]);
});
