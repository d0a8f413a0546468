import { afterEach, describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import { compareEventIds } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { SharedPage } from '../../../src/delivery/shared-page.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { EVENT_FRAMES } from '../../../src/stream/event-frames.ts';
import { HubFixture } from '../../support/hub-fixture.ts';
import type { RecordingSink } from '../../support/recording-sink.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const fixtures: HubFixture[] = [];
const NEWS = parseChannelName('news');

function fixture(...args: ConstructorParameters<typeof HubFixture>): HubFixture {
  const made = new HubFixture(...args);
  fixtures.push(made);
  return made;
}

async function ready(...sinks: readonly RecordingSink[]): Promise<void> {
  await Promise.all(sinks.map((sink) => sink.until(({ isReady }) => isReady)));
}

afterEach(async () => {
  await Promise.all(fixtures.splice(0).map((one) => one.close()));
});

/** A thousand subscribers join at the same time with invented cursors, and an honest one joins after them. */
describe('a thousand invented cursors', () => {
  const INVENTED: readonly [name: string, cursor: (i: number, ids: readonly EventId[]) => string][] = [
    ['before all that is kept', (i) => `1-${i}`],
    ['beyond the tail', (i) => `99999999999999-${i}`],
    ['in between', (i, ids) => `${(ids.at(-20) as EventId).split('-')[0]}-${1_000_000 + i}`],
  ];
  test.each(INVENTED)(
    '%s cost a few reads, and delay the honest subscriber no longer',
    async (_name, cursor) => {
      const one = fixture(1, { delay: 3 }, { policy: { size: 50 } });
      const { sink: watcher } = one.subscribe();
      await ready(watcher);
      const ids = await one.publishMany(100);
      const readsBefore = one.log.reads;

      const liars = Array.from({ length: 1_000 }, (_, i) =>
        one.subscribe({ from: 'id', id: cursor(i, ids) as EventId }),
      );
      const honest = one.subscribe({ from: 'id', id: ids.at(-40) as EventId });
      await ready(honest.sink, ...liars.map(({ sink }) => sink));

      expect(one.log.reads - readsBefore).toBeLessThanOrEqual(4);
      expect(honest.sink.ids).toEqual(ids.slice(-39));
      expect(honest.sink.gaps).toEqual([]);
      for (const [i, { sink }] of liars.entries()) {
        const after = cursor(i, ids) as EventId;
        const kept = ids.slice(-50).filter((id) => compareEventIds(id, after) > 0);
        expect(sink.gaps).toEqual([{ channel: 'news', after, before: kept[0] ?? null }]);
        expect(sink.ids).toEqual(kept);
      }
    },
  );

  test('on a channel that keeps no events any more', async () => {
    const one = fixture(1, { delay: 3 }, { policy: { ttl: 1_000 } });
    const { sink: watcher } = one.subscribe();
    await ready(watcher);
    const ids = await one.publishMany(3);
    await expect
      .poll(async () => (await one.memory.read(NEWS, '0-0' as EventId, 10, one.policy)).events.length)
      .toBe(0);
    const readsBefore = one.log.reads;
    const liars = Array.from({ length: 1_000 }, (_, i) =>
      one.subscribe({ from: 'id', id: `1-${i}` as EventId }),
    );
    await ready(...liars.map(({ sink }) => sink));
    expect(one.log.reads - readsBefore).toBeLessThanOrEqual(4);
    for (const { sink } of liars) expect([sink.gaps.length, sink.position]).toEqual([1, ids[2]]);
  });
});

describe('a subscriber that leaves before there is an answer', () => {
  test('causes no read of a page', async () => {
    const one = fixture();
    // Each event is most of a page, so no page serves two positions.
    const ids: EventId[] = [];
    for (let i = 0; i < 20; i++) ids.push(await one.publish('x'.repeat(200_000)));
    one.log.withholdPages();
    const leaving = ids.slice(0, 15).map((id) => one.subscribe({ from: 'id', id }));
    await expect.poll(() => one.log.reads).toBe(1);
    for (const { end } of leaving) end();
    const honest = one.subscribe({ from: 'id', id: ids[17] as EventId });
    one.log.releasePages();
    await ready(honest.sink);
    expect(honest.sink.ids).toEqual(ids.slice(18));
    expect(one.log.reads).toBeLessThanOrEqual(4);
  });

  test('causes no rewind', async () => {
    const one = fixture();
    const ids = await one.publishMany(50);
    one.log.refusal = new BrokerError('log-unavailable', 'wrong type', { trouble: 'WRONGTYPE' });
    const leaving = ids.map((_, i) => one.subscribe({ from: 'last', count: i + 1 }));
    await expect.poll(() => one.log.rewinds).toBeGreaterThan(0);
    for (const { end } of leaving) end();
    const honest = one.subscribe({ from: 'last', count: 2 });
    const { rewinds } = one.log;
    one.log.refusal = undefined;
    await ready(honest.sink);
    expect(honest.sink.ids).toEqual(ids.slice(-2));
    expect(one.log.rewinds - rewinds).toBeLessThanOrEqual(2);
  });

  test('does not cancel a read that others share', async () => {
    const one = fixture();
    const ids = await one.publishMany(5);
    one.log.withholdPages();
    const at = { from: 'id', id: ids[1] as EventId } as const;
    const [leaving, staying] = [one.subscribe(at), one.subscribe(at)];
    const [first, second] = [
      one.subscribe({ from: 'last', count: 2 }),
      one.subscribe({ from: 'last', count: 2 }),
    ];
    await expect.poll(() => one.log.reads).toBe(1);
    leaving.end();
    first.end();
    one.log.releasePages();
    await ready(staying.sink, second.sink);
    expect(staying.sink.ids).toEqual(ids.slice(2));
    expect(second.sink.ids).toEqual(ids.slice(3));
    expect([...leaving.sink.ids, ...first.sink.ids]).toEqual([]);
  });
});

test('reads are served in the order of the requests', async () => {
  // The positions are more than a page apart.
  const one = fixture(1, { delay: 2 });
  const ids = await one.publishMany(4_000);
  const order: string[] = [];
  const starts = [3_500, 100, 2_000, 2_800, 1_200];
  const readers = starts.map((index) => {
    const { sink } = one.subscribe({ from: 'id', id: ids[index] as EventId });
    void sink.until(({ received }) => received.length > 0).then(() => order.push(String(index)));
    return sink;
  });
  await ready(...readers);
  expect(order).toEqual(starts.map(String));
});

test('a thousand subscribers that start at the newest events share a few rewinds', async () => {
  const one = fixture(1, { delay: 3 }, { policy: { size: 300 } });
  const ids = await one.publishMany(400);
  const readers = Array.from({ length: 1_000 }, (_, i) =>
    one.subscribe({ from: 'last', count: i % 2 === 0 ? 5 : 1_000 + i }),
  );
  await ready(...readers.map(({ sink }) => sink));
  expect(one.log.rewinds).toBeLessThanOrEqual(4);
  for (const [i, { sink }] of readers.entries()) {
    expect(sink.ids).toEqual(ids.slice(i % 2 === 0 ? -5 : -300));
    expect(sink.gaps).toEqual([]);
  }
});

test('a page answers another position exactly as the log does', async () => {
  const random = seededRandom(7);
  const one = fixture(1, {}, { policy: { size: 40 } });
  const ids: EventId[] = ['0-0' as EventId];
  for (let i = 0; i < 60; i++) ids.push(await one.publish(String(i)));
  const aPosition = (): EventId => {
    const id = ids[Math.floor(random() * ids.length)] as EventId;
    if (random() < 0.6) return id;
    const [ms = '', seq = ''] = id.split('-');
    return (random() < 0.5 ? `${ms}-${Number(seq) + 1}` : `${Number(ms) + 1}-0`) as EventId;
  };
  let answered = 0;
  for (let i = 0; i < 3_000; i++) {
    const asked = aPosition();
    const page = SharedPage.of(
      asked,
      await one.memory.read(NEWS, asked, 1 + Math.floor(random() * 50), one.policy),
    );
    const position = aPosition();
    const answer = page.answerTo(position, true);
    if (answer === undefined) continue;
    answered++;
    const truth = await one.memory.read(NEWS, position, 1_000, one.policy);
    expect([answer.tail, answer.complete]).toEqual([truth.tail, truth.complete]);
    expect(answer.events).toEqual(truth.events.slice(0, answer.events.length));
    expect(answer.events.length > 0).toBe(truth.events.length > 0);
    if (answer.events.length > 0) expect(answer.room).toBe(truth.room);
    const { plain } = answer.run.as(EVENT_FRAMES);
    const { plain: own } = new EventRun(position, answer.events).as(EVENT_FRAMES);
    expect(plain.toString()).toBe(own.toString());
  }
  expect(answered).toBeGreaterThan(500);
});
