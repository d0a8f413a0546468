import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import type { RecordingSink } from '../../support/recording-sink.ts';

const fixtures: HubFixture[] = [];

function fixture(...args: ConstructorParameters<typeof HubFixture>): HubFixture {
  const made = new HubFixture(...args);
  fixtures.push(made);
  return made;
}

async function ready(sink: RecordingSink): Promise<void> {
  await sink.until(({ isReady }) => isReady);
}

afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((one) => one.close()));
});

test.each([1, 2, 3, 4, 5])(
  'subscribers that reconnect cost the live ones no event of a log that keeps none, with late announcements: seed %d',
  async (seed) => {
    const one = fixture(seed, { delay: 2 }, { policy: { size: 0 } });
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids: EventId[] = [];
    const back: RecordingSink[] = [];
    for (let i = 0; i < 50; i++) {
      ids.push(await one.publish(String(i)));
      back.push(one.subscribe({ from: 'id', id: ids[Math.floor(i / 2)] as EventId }).sink);
      if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(back.map(ready));
    const end = await one.publish('end');
    for (const sink of [live, ...back]) await sink.until(({ position }) => position === end);
    expect(live.gaps).toEqual([]);
    expect(live.ids).toEqual([...ids, end]);
    for (const sink of back) expect(sink.ids).toEqual([...ids, end].slice(-sink.ids.length));
  },
);

describe('a replica does not deliver events that the log no longer keeps', () => {
  test('more events than are kept', async () => {
    const one = fixture(1, {}, { policy: { size: 5 } });
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids = await one.publishMany(20);
    await live.until(({ position }) => position === ids.at(-1));
    expect(live.ids).toEqual(ids);

    const { sink } = one.subscribe({ from: 'id', id: ids[9] as EventId });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: ids[9], before: ids[15] }]);
    expect(sink.ids).toEqual(ids.slice(-5));
  });

  test('no event at all, when the log keeps none', async () => {
    const one = fixture(1, {}, { policy: { size: 0 } });
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids = await one.publishMany(20);
    await live.until(({ position }) => position === ids.at(-1));
    expect(live.ids).toEqual(ids);
    expect(live.gaps).toEqual([]);

    const { sink: late } = one.subscribe({ from: 'id', id: ids[18] as EventId });
    const { sink: atTail } = one.subscribe({ from: 'id', id: ids[19] as EventId });
    const { sink: last } = one.subscribe({ from: 'last', count: 5 });
    await Promise.all([ready(late), ready(atTail), ready(last)]);
    expect(late.gaps).toEqual([{ channel: 'news', after: ids[18], before: null }]);
    expect([...atTail.gaps, ...last.gaps]).toEqual([]);
    const next = await one.publish('next');
    for (const sink of [live, late, atTail, last]) {
      await sink.until(({ position }) => position === next);
      expect(sink.ids.at(-1)).toBe(next);
    }
    expect([late.ids, atTail.ids, last.ids]).toEqual([[next], [next], [next]]);
  });

  test('events that are too old', async () => {
    const one = fixture(1, {}, { policy: { ttl: 1_000 } });
    const { sink: live } = one.subscribe();
    await ready(live);
    const ids = await one.publishMany(3);
    const news = parseChannelName('news');
    await expect
      .poll(async () => (await one.memory.read(news, ORIGIN, 10, one.policy)).events.length)
      .toBe(0);
    const { sink } = one.subscribe({ from: 'id', id: ids[0] as EventId });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: ids[0], before: null }]);
    expect(sink.ids).toEqual([]);
  });

  test('a page that was just read for another subscriber', async () => {
    const one = fixture(1, {}, { policy: { size: 5 } });
    const old = await one.publishMany(5);
    const { sink: before } = one.subscribe({ from: 'earliest' });
    await ready(before);
    expect(before.ids).toEqual(old);
    const ids = await one.publishMany(3);
    const { sink } = one.subscribe({ from: 'earliest' });
    await ready(sink);
    expect(sink.ids).toEqual([...old.slice(3), ...ids]);
  });
});

test('but a live subscriber gets more events than are kept when all of them arrive at once', async () => {
  const one = fixture(1, {}, { policy: { size: 1 } });
  const { sink: first } = one.subscribe();
  await ready(first);
  // The second subscribes, and before its turn more events are published than are kept.
  const second = one.subscribe().sink;
  const ids = await one.publishMany(10);
  await Promise.all([first, second].map((sink) => sink.until(({ position }) => position === ids.at(-1))));
  for (const sink of [first, second]) {
    expect(sink.ids).toEqual(ids);
    expect(sink.gaps).toEqual([]);
  }
});
