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
