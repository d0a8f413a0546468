import { expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import { HistoryReader } from '../../../src/delivery/history-reader.ts';
import type { HistoryEnd, HistoryStart } from '../../../src/delivery/history-reader.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import type { HubFixture } from '../../support/hub-fixture.ts';

const NEWS = parseChannelName('news');
const fixture = hubFixtures();

async function read(
  { log, policy }: HubFixture,
  start: HistoryStart,
  limit: number,
  onStep: () => Promise<unknown> = () => Promise.resolve(),
): Promise<HistoryEnd & { readonly ids: EventId[] }> {
  const ids: EventId[] = [];
  const loop = new FairLoop();
  const slow = {
    inTurn: async <T>(work: () => T): Promise<T> => {
      const result = await loop.inTurn(work);
      await onStep();
      return result;
    },
  };
  const history = new HistoryReader({ log, loop: slow, policies: { historyOf: () => policy } });
  const end = await history.read(NEWS, start, limit, ({ events }) => {
    ids.push(...events.map(({ id }) => id));
    return events.length;
  });
  return { ...end, ids };
}

test('events that are dropped between two steps end the page, and the next one says so', async () => {
  const on = fixture(1, {}, { policy: { size: 600 } });
  const published = await on.publishMany(600);
  const trim = async (): Promise<void> => {
    for (let i = 0; i < 400; i++) await on.publish('more');
  };
  const first = await read(on, { from: 'id', id: ORIGIN }, 600, trim);
  expect(first.ids).toEqual(published.slice(0, 256));
  expect(first).toMatchObject({ complete: true, more: false, ended: false, next: published[255] });
  const second = await read(on, { from: 'id', id: first.next }, 1);
  expect(second).toMatchObject({ complete: false, ids: [published[400]] });
});

test('a channel that is deleted between two steps ends the page, and the next one has the deletion', async () => {
  const on = fixture();
  const published = await on.publishMany(300);
  let cleared: EventId | undefined;
  const first = await read(on, { from: 'earliest' }, 300, async () => (cleared ??= await on.clear()));
  expect(first.ids).toEqual(published.slice(0, 256));
  const second = await read(on, { from: 'id', id: first.next }, 300);
  expect(second).toMatchObject({ complete: false, ids: [cleared] });
});

test('a read says whether the log has more, and whether it is at the end of the channel', async () => {
  const on = fixture();
  const published = await on.publishMany(300);
  await on.end();
  expect(await read(on, { from: 'id', id: ORIGIN }, 299)).toMatchObject({ more: true, ended: false });
  expect(await read(on, { from: 'id', id: ORIGIN }, 300)).toMatchObject({ more: false, ended: true });
  expect(await read(on, { from: 'last', count: 2 }, 10)).toMatchObject({ ids: published.slice(298) });
  expect(await read(on, { from: 'tail' }, 10)).toMatchObject({ ids: [], ended: true, complete: true });
  expect(await read(on, { from: 'unreadable' }, 10)).toMatchObject({ ids: [], complete: false });
});
