import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import type { EventId } from '../../../src/events/event.ts';
import type { HubFixture } from '../../support/hub-fixture.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import type { RecordingSink } from '../../support/recording-sink.ts';

const fixture = hubFixtures();
const STATE = { from: 'state' } as const;

async function ready(sink: RecordingSink): Promise<void> {
  await sink.until(({ isReady }) => isReady);
}

/** Publishes the newest values of some keys; each twice. Returns the ids of the second values. */
async function setKeys(one: HubFixture, count: number): Promise<EventId[]> {
  const ids: EventId[] = [];
  for (const round of [0, 1])
    for (let i = 0; i < count; i++) {
      const id = await one.set(`k${i}`, round);
      if (round === 1) ids.push(id);
    }
  return ids;
}

test('a subscriber gets the newest event of each key, then sluice:ready at the tail, then what is published', async () => {
  const one = fixture();
  const ids: string[] = await setKeys(one, 3);
  const tail = await one.publish('{}');
  const { sink } = one.subscribe(STATE);
  await ready(sink);
  expect([sink.ids, sink.position]).toEqual([ids, tail]);
  ids.push(await one.set('k0', 2));
  await sink.until(({ position }) => position === ids.at(-1));
  expect([sink.ids, sink.gaps]).toEqual([ids, []]);
});

test('a subscriber of a channel without keys goes live at once', async () => {
  const one = fixture();
  const tail = await one.publish('{}');
  const { sink } = one.subscribe(STATE);
  await ready(sink);
  expect([sink.ids, sink.position]).toEqual([[], tail]);
});

test('a thousand subscribers that come together cost one read of each page', async () => {
  const one = fixture();
  const ids = await setKeys(one, 12);
  one.log.latestLimit = 5;
  const sinks = Array.from({ length: 1_000 }, () => one.subscribe(STATE).sink);
  await Promise.all(sinks.map(ready));
  expect(one.log.latestReads).toBe(3);
  for (const sink of sinks) expect(sink.ids).toEqual(ids);
  // The pages are in memory, and those who come later share them.
  const late = one.subscribe(STATE).sink;
  await ready(late);
  expect([late.ids, one.log.latestReads]).toEqual([ids, 3]);
  // From the kept pages on, the recent events lead to the newest event.
  const next = await one.set('k3', 2);
  const later = one.subscribe(STATE).sink;
  await ready(later);
  expect([later.ids, one.log.latestReads]).toEqual([[...ids, next], 3]);
});

test('a kept page is not used when the recent events no longer lead on from it', async () => {
  const one = fixture(1, {}, { policy: { size: 2 } });
  const { sink: live } = one.subscribe(STATE);
  await ready(live);
  const ids = await setKeys(one, 4);
  await live.until(({ position }) => position === ids.at(-1));
  const { sink } = one.subscribe(STATE);
  await ready(sink);
  expect([sink.ids, sink.gaps, one.log.latestReads]).toEqual([ids, [], 2]);
});

describe('where a subscriber would get a gap, the state follows the gap', () => {
  test('when its cursor is too old', async () => {
    const one = fixture(1, {}, { policy: { size: 2 } });
    const old = await one.set('old', 1);
    const after = await one.publish('{}');
    const ids = await setKeys(one, 4);
    const { sink } = one.subscribe({ from: 'id', id: after, state: true });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after, before: old }]);
    expect(sink.ids).toEqual([old, ...ids]);
  });

  test('when its cursor cannot be read', async () => {
    const one = fixture();
    const ids = await setKeys(one, 2);
    const { sink } = one.subscribe({ from: 'unreadable', state: true });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: null, before: ids[0] }]);
    expect(sink.ids).toEqual(ids);
  });

  test('also where the state is empty', async () => {
    const one = fixture();
    const tail = await one.publish('{}');
    const { sink } = one.subscribe({ from: 'unreadable', state: true });
    await ready(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: null, before: null }]);
    expect(sink.position).toBe(tail);
  });

  test('when it takes nothing for long', async () => {
    const one = fixture(1, {}, { policy: { size: 2 } });
    const { sink } = one.subscribe(STATE);
    await ready(sink);
    sink.blockAfterNextWrite();
    const first = await one.set('k', 1);
    await sink.until(({ position }) => position === first);
    const ids = await setKeys(one, 300);
    for (let i = 0; i < 20; i++) await nextTurn();
    sink.unblock();
    await sink.until(({ position }) => position === ids.at(-1));
    expect(sink.gaps).toEqual([{ channel: 'news', after: first, before: first }]);
    expect(sink.ids).toEqual([first, first, ...ids]);
  });

  test('with a state that is read after the loss, and not one in memory', async () => {
    const one = fixture();
    const ids = await setKeys(one, 2);
    await ready(one.subscribe(STATE).sink);
    await ready(one.subscribe(STATE).sink);
    expect(one.log.latestReads).toBe(1);
    const { sink } = one.subscribe({ from: 'unreadable', state: true });
    await ready(sink);
    expect([sink.ids, one.log.latestReads]).toEqual([ids, 2]);
  });
});

test('a cursor wins over the state', async () => {
  const one = fixture();
  const ids = await setKeys(one, 3);
  const { sink } = one.subscribe({ from: 'id', id: ids[0] as EventId, state: true });
  await ready(sink);
  expect([sink.ids, sink.gaps, one.log.latestReads]).toEqual([ids.slice(1), [], 0]);
});

test('a read of the state that began before a clear is repeated', async () => {
  const one = fixture();
  const { sink: live } = one.subscribe();
  await ready(live);
  await setKeys(one, 3);
  one.log.withholdPages();
  const { sink } = one.subscribe(STATE);
  await expect.poll(() => one.log.latestReads).toBe(1);
  for (let i = 0; i < 20; i++) await nextTurn();
  const cleared = await one.clear();
  await live.until(({ position }) => position === cleared);
  one.log.releasePages();
  await ready(sink);
  expect([sink.ids, sink.position, one.log.latestReads]).toEqual([[], cleared, 2]);
  // The page from before the clear is not kept, either.
  await one.set('k', 1);
  await one.clear();
  const { sink: late } = one.subscribe(STATE);
  await ready(late);
  expect(late.ids).toEqual([]);
});

test('the state comes before the end of a channel', async () => {
  const one = fixture();
  const ids = await setKeys(one, 2);
  const end = await one.end(['{}']);
  const { sink } = one.subscribe(STATE);
  await sink.until(({ ends }) => ends.length > 0);
  expect([sink.ids, sink.ends]).toEqual([ids, [end]]);
});

test('while the log refuses, the subscriber waits, and learns why', async () => {
  const one = fixture();
  const ids = await setKeys(one, 2);
  await ready(one.subscribe().sink);
  one.log.refusal = new BrokerError('log-unavailable', 'refused', { trouble: 'READONLY' });
  const { sink } = one.subscribe(STATE);
  await sink.until(({ received }) => received.some(({ kind }) => kind === 'waiting'));
  one.log.refusal = undefined;
  await ready(sink);
  expect(sink.ids).toEqual(ids);
});
