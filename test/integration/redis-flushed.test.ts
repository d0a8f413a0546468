import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Broker } from '../support/broker.ts';
import { openLiveStreams, openStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';

/** Redis loses its data, and replicas still have events in memory that the log no longer has. */

let stage: Stage;
let a: Broker;
let b: Broker;
beforeEach(async () => {
  stage = await Stage.open();
  [a, b] = [stage.broker(0), stage.broker(1)];
});
afterEach(() => stage.close());

const OLD = Array.from({ length: 5 }, (_, i) => `old ${i}`);

const ONE = '/events/news?last_event_id=0-0';
const MANY = '/events?channel=news&channel=quiet&last_event_id=news@0-0,quiet@0-0';

test.each([
  ['a stream', ONE, []],
  ['a stream of many channels', MANY, []],
  ['a stream, after new events', ONE, ['newer', 'newest']],
])(
  'a reader that was told of it gets the old events from no replica again: %s',
  async (_what, path, meanwhile) => {
    // The replica follows the channel, and keeps its newest events and the page that it has read.
    const [live] = await openLiveStreams(`${b.url}/events/news`, 1);
    for (const text of OLD) await a.publish('news', text);
    await live?.when(({ events }) => events.at(-1)?.data === OLD.at(-1));
    const reader = await openStream(`${b.url}/events/news?last_event_id=0-0`);
    await reader.when(({ events }) => events.length === OLD.length + 1);
    await stage.redis.cli('flushall');

    const last = reader.events[OLD.length - 1]?.id ?? '';
    const page = await fetch(`${a.url}/channels/news/events?after=${last}`);
    expect(await page.json()).toMatchObject({ events: [], next: '0-0', complete: false });

    for (const text of meanwhile) await a.publish('news', text);
    await live?.when(({ events }) => meanwhile.every((text) => events.some(({ data }) => data === text)));
    const again = await openStream(`${b.url}${path}`);
    await again.until('sluice:ready');
    await a.publish('news', 'new');
    await again.when(({ events }) => events.at(-1)?.data === 'new');
    const got = again.events
      .filter(({ event }) => event?.startsWith('sluice:') !== true)
      .map(({ data }) => data);
    expect(got).toEqual([...meanwhile, 'new']);
    for (const stream of [live, reader, again]) stream?.close();
  },
);
