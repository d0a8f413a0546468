import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_HISTORY_SIZE: '3' });
});
afterAll(() => broker.kill());

/** Publishes `1`, `2` and so on to a channel that keeps three events; returns their ids. */
async function fill(channel: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 1; i <= count; i++) ids.push(await broker.publish(channel, String(i)));
  return ids;
}

/** Subscribes with a cursor, publishes `live` after `sluice:ready`, and returns every event that came. */
async function comeBack(channel: string, cursor?: string): Promise<unknown[]> {
  const headers = cursor === undefined ? {} : { 'last-event-id': cursor };
  const stream = await openStream(`${broker.url}/events/${channel}`, { headers });
  await stream.until('sluice:ready');
  await broker.publish(channel, 'live');
  await stream.next();
  stream.close();
  return stream.events.map(({ id, event, data }) =>
    event === undefined ? { id, data } : { id, event, data: JSON.parse(data) as unknown },
  );
}

/** @param id the cursor with which a reconnect gets the gap again */
const gap = (channel: string, after: string | null, before: string | null, id = after): object => ({
  id,
  event: 'sluice:gap',
  data: { channel, after, before },
});
const ready = (channel: string, id: string): object => ({
  id,
  event: 'sluice:ready',
  data: { channels: { [channel]: id } },
});
const live: object = { data: 'live' };
const event = (id: string | undefined, data: string): object => ({ id, data });

describe('with a cursor', () => {
  test('that is the tail: nothing before ready', async () => {
    const [, two = ''] = await fill('tail', 2);
    expect(await comeBack('tail', two)).toMatchObject([ready('tail', two), live]);
  });

  test('inside the history: the events after it', async () => {
    const [one, two, three = ''] = await fill('between', 3);
    expect(await comeBack('between', one)).toMatchObject([
      event(two, '2'),
      event(three, '3'),
      ready('between', three),
      live,
    ]);
  });

  test('right before the first kept event: all kept events, without a gap', async () => {
    const [, , three, four, five, six = ''] = await fill('edge', 6);
    expect(await comeBack('edge', three)).toMatchObject([
      event(four, '4'),
      event(five, '5'),
      event(six, '6'),
      ready('edge', six),
      live,
    ]);
  });

  test('before trimmed events: a gap with both ids, then all kept events', async () => {
    const [one = '', , , four = '', five, six = ''] = await fill('trimmed', 6);
    expect(await comeBack('trimmed', one)).toMatchObject([
      gap('trimmed', one, four),
      event(four, '4'),
      event(five, '5'),
      event(six, '6'),
      ready('trimmed', six),
      live,
    ]);
  });

  test('0-0, before the first event ever: all events, without a gap', async () => {
    const [one, two = ''] = await fill('origin', 2);
    expect(await comeBack('origin', '0-0')).toMatchObject([
      event(one, '1'),
      event(two, '2'),
      ready('origin', two),
      live,
    ]);
  });

  test('0-0, when the first event was trimmed: a gap', async () => {
    const [, two, three, four = ''] = await fill('origin-trimmed', 4);
    expect(await comeBack('origin-trimmed', '0-0')).toMatchObject([
      gap('origin-trimmed', '0-0', two ?? ''),
      event(two, '2'),
      event(three, '3'),
      event(four, '4'),
      ready('origin-trimmed', four),
      live,
    ]);
  });

  test('between two ids of the log: a gap, then the events after it', async () => {
    const [one = '', two = ''] = await fill('foreign', 2);
    const [ms = '', seq = ''] = one.split('-');
    const foreign = two.startsWith(`${ms}-`) ? `${Number(ms) - 1}-7` : `${ms}-${Number(seq) + 7}`;
    const came = await comeBack('foreign', foreign);
    const left = two.startsWith(`${ms}-`) ? [event(one, '1'), event(two, '2')] : [event(two, '2')];
    const first = two.startsWith(`${ms}-`) ? one : two;
    expect(came).toMatchObject([gap('foreign', foreign, first), ...left, ready('foreign', two), live]);
  });

  test.each(['9999999999999-0', '18446744073709551615-18446744073709551615'])(
    'from the future, %s: a gap, then live events, which are delivered',
    async (future) => {
      const channel = `future-${future.length}`;
      const [, two = ''] = await fill(channel, 2);
      expect(await comeBack(channel, future)).toMatchObject([
        gap(channel, future, null),
        ready(channel, two),
        live,
      ]);
    },
  );

  test('of another log, on a channel without events: a gap, then live', async () => {
    expect(await comeBack('unused-known', '1763596800000-0')).toMatchObject([
      gap('unused-known', '1763596800000-0', null),
      ready('unused-known', '0-0'),
      live,
    ]);
  });

  test('0-0, on a channel without events: nothing before ready', async () => {
    expect(await comeBack('unused-origin', '0-0')).toMatchObject([ready('unused-origin', '0-0'), live]);
  });

  test('earliest: all events, without a gap', async () => {
    const [one, two = ''] = await fill('earliest', 2);
    expect(await comeBack('earliest', 'earliest')).toMatchObject([
      event(one, '1'),
      event(two, '2'),
      ready('earliest', two),
      live,
    ]);
  });

  test('earliest, when the first event was trimmed: a gap, then all kept events', async () => {
    const [, two, three, four = ''] = await fill('earliest-trimmed', 4);
    expect(await comeBack('earliest-trimmed', 'earliest')).toMatchObject([
      gap('earliest-trimmed', null, two ?? '', '0-0'),
      event(two, '2'),
      event(three, '3'),
      event(four, '4'),
      ready('earliest-trimmed', four),
      live,
    ]);
  });

  test('that cannot be read: a gap whose id is the tail', async () => {
    const [, two = ''] = await fill('unreadable', 2);
    expect(await comeBack('unreadable', 'no id')).toMatchObject([
      gap('unreadable', null, null, two),
      ready('unreadable', two),
      live,
    ]);
  });
});

describe('without a cursor', () => {
  test('new events only, on a channel with events', async () => {
    const [, two = ''] = await fill('new', 2);
    expect(await comeBack('new')).toMatchObject([ready('new', two), live]);
  });

  test('new events only, on a channel without events', async () => {
    expect(await comeBack('unused')).toMatchObject([ready('unused', '0-0'), live]);
  });
});

test('the id of ready is a cursor: a subscriber that leaves before the first event misses none', async () => {
  await fill('dropped', 2);
  const stream = await openStream(`${broker.url}/events/dropped`);
  const [position] = await stream.until('sluice:ready');
  stream.close();
  const missed = await broker.publish('dropped', 'missed');
  expect(await comeBack('dropped', position?.id)).toMatchObject([
    event(missed, 'missed'),
    ready('dropped', missed),
    live,
  ]);
});

test('a restart loses the embedded log: a cursor from before gets a gap', async () => {
  const before = await startBroker();
  const id = await before.publish('survivor', 'x');
  await before.kill();
  await fill('survivor', 1);
  const came = await comeBack('survivor', id);
  expect(came).toMatchObject([{ event: 'sluice:gap', data: { after: id } }, {}, {}, live]);
});
