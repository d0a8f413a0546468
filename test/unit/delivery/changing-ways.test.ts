import { setImmediate as nextTurn } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { HistoryReader } from '../../../src/delivery/history-reader.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { Start } from '../../../src/events/cursor.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { EventPage } from '../../../src/stream/event-page.ts';
import type { PageEnd } from '../../../src/stream/event-page.ts';
import { LongPoll } from '../../../src/stream/long-poll.ts';
import { PollConnection } from '../../../src/stream/poll-connection.ts';
import type { JsonPage } from '../../support/changing-reader.ts';
import type { HubFixture } from '../../support/hub-fixture.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import { RecordingSink } from '../../support/recording-sink.ts';
import { recordingWire } from '../../support/recording-wire.ts';

const EVENTS = 300;
const NEWS = parseChannelName('news');
const fixture = hubFixtures();
const POLL = { expiry: { at: Infinity, reason: 'aged' }, holder: undefined } as const;

/** Reads one step from a position, and returns the ids of the events and the next position. */
type Way = (
  on: HubFixture,
  start: Start & { readonly from: 'id' },
  limit: number,
) => Promise<{ readonly ids: readonly string[]; readonly next: EventId }>;

const asPage = (page: EventPage, end: PageEnd): { ids: string[]; next: EventId } => {
  const read = JSON.parse(page.body(NEWS, end).map(String).join('')) as JsonPage;
  expect(read.complete).toBe(true);
  return { ids: read.events.map(({ id }) => id), next: read.next as EventId };
};

const readPage: Way = async ({ log, policy }, start, limit) => {
  const history = new HistoryReader({ log, loop: new FairLoop(), policies: { historyOf: () => policy } });
  const page = new EventPage(limit);
  return asPage(page, await history.read(NEWS, start, limit, (run) => page.add(run)));
};

const longPoll: Way = async ({ hub }, start, limit) => {
  const { promise, resolve } = Promise.withResolvers<[EventPage, PageEnd | undefined]>();
  const reply = {
    hold: () => undefined,
    answer: (...answer: [EventPage, PageEnd | undefined]) => resolve(answer),
    cut: () => undefined,
  };
  const poll = new LongPoll(
    reply,
    { pulse: { now: 0 }, loop: new FairLoop() },
    {
      ...POLL,
      channel: NEWS,
      limit,
      wait: 5,
      isEnd: () => false,
    },
  );
  const subscription = hub.subscribe(NEWS, start, poll);
  poll.source = subscription;
  poll.onClose = () => hub.unsubscribe(NEWS, subscription);
  const [page, end] = await promise;
  return end === undefined ? { ids: [], next: start.id } : asPage(page, end);
};

const stream: Way = async (on, start, limit) => {
  const { sink, end } = on.subscribe(start, new RecordingSink());
  await sink.until(({ ids, isReady }) => ids.length >= limit || isReady);
  for (let i = 0; i < limit; i++) await nextTurn();
  end();
  expect(sink.gaps).toEqual([]);
  return { ids: sink.ids, next: (sink.position ?? start.id) as EventId };
};

/** Reads a stream that ends by itself, and takes its last id. */
const waitingStream: Way = async ({ hub }, start) => {
  const wire = recordingWire();
  const { promise, resolve } = Promise.withResolvers<string>();
  const context = { pulse: { now: 0 }, loop: new FairLoop() };
  const own = { ...POLL, channels: NEWS, heartbeatEvents: false };
  const poll = new PollConnection(wire, context, own, 5);
  const subscription = hub.subscribe(NEWS, start, poll);
  poll.source = subscription;
  poll.onClose = (reason) => {
    hub.unsubscribe(NEWS, subscription);
    resolve(reason);
  };
  expect(await promise).toBe('answered');
  const ids: string[] = [];
  let next = start.id;
  const onEvent = ({ id, event }: EventSourceMessage): void => {
    expect(event ?? 'sluice:ready').toBe('sluice:ready');
    next = id as EventId;
    if (event === undefined) ids.push(next);
  };
  createParser({ onEvent }).feed(wire.written.map(String).join(''));
  expect(wire.done).toEqual(['end']);
  return { ids, next };
};

/** Asks as a plain stream does before its head, and reads nothing. */
const askFirst: Way = async ({ hub }, start) => {
  const first = await hub.firstOf(NEWS, start);
  expect(first.kind).not.toBe('gap');
  return { ids: [], next: start.id };
};

const WAYS = [readPage, longPoll, stream, waitingStream, askFirst];

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'a reader that changes between stream, page and poll gets every event once, seed %i',
  async (seed) => {
    const on = fixture(seed, { delay: 3, loss: 0.2, repetition: 0.2 });
    const published: string[] = [];
    const got: string[] = [];
    const publish = async (): Promise<void> => {
      for (let i = 0; i < EVENTS; i++) {
        published.push(await on.publish(String(i)));
        if (on.random() < 0.03) on.log.cut();
        if (on.random() < 0.2) await on.log.restore();
        if (on.random() < 0.4) await nextTurn();
      }
    };
    const publishing = publish();
    let position = ORIGIN;
    while (published.length < EVENTS || position !== published.at(-1)) {
      const way = WAYS[Math.floor(on.random() * WAYS.length)] ?? readPage;
      // Interruptions end, as connections do.
      if (published.length === EVENTS) await on.log.restore();
      const { ids, next } = await way(on, { from: 'id', id: position }, 1 + Math.floor(on.random() * 20));
      got.push(...ids);
      position = next;
    }
    await publishing;
    expect(got).toEqual(published);
  },
);
