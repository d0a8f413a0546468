import { afterEach, expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { BusiestChannels } from '../../../src/inspect/busiest-channels.ts';
import type { Busiest } from '../../../src/inspect/busiest-channels.ts';
import { ChannelActivity } from '../../../src/inspect/channel-activity.ts';
import { MAX_ANSWER_BYTES } from '../../../src/replicas/control-bus.ts';
import type { Answers, Json } from '../../../src/replicas/control-bus.ts';
import { MemoryControlBus } from '../../../src/replicas/memory-control-bus.ts';

const opened: ChannelActivity[] = [];
afterEach(() => {
  for (const activity of opened.splice(0)) activity.close();
});

const named = (name: string): ChannelName => parseChannelName(name);

function activityOf(maxChannels?: number): ChannelActivity {
  const activity = new ChannelActivity(maxChannels);
  opened.push(activity);
  return activity;
}

/** A replica on a control bus of its own. */
function replica(
  activity: ChannelActivity,
  subscribers: readonly (readonly [string, number])[] = [],
): { readonly bus: MemoryControlBus; readonly busiest: BusiestChannels } {
  const bus = new MemoryControlBus({ replica: 'a', revocationTtl: 60_000 });
  const counts = subscribers.map(([name, count]) => [named(name), count] as const);
  const hub = { subscriberCounts: () => counts };
  return { bus, busiest: new BusiestChannels({ control: bus, loop: new FairLoop(), activity, hub }) };
}

const channels = ({ publishes }: Busiest): string[] => publishes.map(({ channel }) => channel);

test('the largest counts come first, and equal counts by name', async () => {
  const activity = activityOf();
  for (let i = 0; i < 1_000; i++) activity.published(named(`c${i}`), i % 500);
  activity.delivered(named('c7'), 3);
  const { busiest } = replica(activity, [
    ['a', 1],
    ['b', 2],
  ]);
  expect(await busiest.list(3)).toEqual({
    seconds: 60,
    publishes: [
      { channel: 'c499', count: 499 },
      { channel: 'c999', count: 499 },
      { channel: 'c498', count: 498 },
    ],
    deliveries: [{ channel: 'c7', count: 3 }],
    subscribers: [
      { channel: 'b', count: 2 },
      { channel: 'a', count: 1 },
    ],
    complete: true,
  });
});

test('counts last for six windows', async () => {
  const activity = activityOf();
  const { busiest } = replica(activity);
  activity.published(named('old'), 1);
  for (let i = 0; i < 5; i++) activity.beginWindow();
  activity.published(named('old'), 1);
  activity.published(named('new'), 5);
  expect((await busiest.list(9)).publishes).toEqual([
    { channel: 'new', count: 5 },
    { channel: 'old', count: 2 },
  ]);
  activity.beginWindow();
  expect((await busiest.list(9)).publishes.at(-1)).toEqual({ channel: 'old', count: 1 });
  for (let i = 0; i < 5; i++) activity.beginWindow();
  expect(await busiest.list(9)).toMatchObject({ publishes: [] });
});

test('beyond the limit of a window, further channels are not counted, and known ones still are', async () => {
  const activity = activityOf(2);
  const { busiest } = replica(activity);
  for (const name of ['a', 'b', 'c', 'd', 'a']) activity.published(named(name), 1);
  expect((await busiest.list(9)).publishes).toEqual([
    { channel: 'a', count: 2 },
    { channel: 'b', count: 1 },
  ]);
  activity.beginWindow();
  activity.published(named('c'), 9);
  expect(channels(await busiest.list(9))).toEqual(['c', 'a', 'b']);
});

test('an answer with long names fits on the control bus', async () => {
  const activity = activityOf();
  const subscribers = Array.from({ length: 500 }, (_, i) => [`${i}`.padStart(200, 'x'), i + 1] as const);
  for (const [name, count] of subscribers) {
    activity.published(named(name), count);
    activity.delivered(named(name), count);
  }
  const { bus, busiest } = replica(activity, subscribers);
  const { answers, missing } = await bus.ask('busiest', {});
  expect(missing).toBe(0);
  expect(JSON.stringify(answers[0]?.answer).length).toBeLessThanOrEqual(MAX_ANSWER_BYTES);
  const { publishes, deliveries, subscribers: listed } = await busiest.list(90);
  for (const list of [publishes, deliveries, listed]) expect(list).toHaveLength(90);
});

test('the counts of all replicas are added up, and answers of another form are left out', async () => {
  const all: Answers<Json> = {
    answers: [
      {
        replica: 'a',
        answer: {
          publishes: [
            ['x', 3],
            ['y', 5],
          ],
          deliveries: [],
          subscribers: [],
        },
      },
      { replica: 'b', answer: { publishes: [['x', 4]], deliveries: 7, subscribers: [['z'], null, 3] } },
      { replica: 'c', answer: null },
      { replica: 'd', answer: 'text' },
    ],
    missing: 1,
    silent: [],
  };
  const control = { answer: () => undefined, ask: async () => all };
  const hub = { subscriberCounts: () => [] };
  const busiest = new BusiestChannels({ control, loop: new FairLoop(), activity: activityOf(), hub });
  expect(await busiest.list(10)).toEqual({
    seconds: 60,
    publishes: [
      { channel: 'x', count: 7 },
      { channel: 'y', count: 5 },
    ],
    deliveries: [],
    subscribers: [],
    complete: false,
  });
});
