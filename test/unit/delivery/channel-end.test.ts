import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { Start } from '../../../src/events/cursor.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { hubFixtures } from '../../support/hub-fixtures.ts';
import { RecordingSink } from '../../support/recording-sink.ts';

const NEWS = parseChannelName('news');
const ROUNDS = 12;

const fixture = hubFixtures();

/** Resolves when the sink has got the end. */
async function ended(sink: RecordingSink): Promise<void> {
  await sink.until(({ ends }) => ends.length > 0);
}

async function ready(sink: RecordingSink): Promise<void> {
  await sink.until(({ isReady }) => isReady);
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn();
}

/**
 * A channel that ends and is cleared again and again, on a log that delays, loses, repeats and fails. Nothing is trimmed, so
 * a gap is allowed only for a subscriber that begins before the clear.
 */
describe.each([
  { name: 'nothing', shakiness: {} },
  { name: 'delays', shakiness: { delay: 6 } },
  { name: 'lost announcements', shakiness: { delay: 3, loss: 0.2 } },
  { name: 'repeated announcements', shakiness: { delay: 3, repetition: 0.4 } },
  { name: 'cuts', shakiness: { delay: 4 }, cuts: true },
  {
    name: 'everything at once',
    shakiness: { delay: 5, loss: 0.15, repetition: 0.2, failure: 0.02 },
    cuts: true,
  },
])('a channel that ends, with $name', ({ shakiness, cuts = false }) => {
  test.each([1, 2, 3, 4, 5, 6])(
    'every subscriber gets every event and then the end, once, seed %i',
    async (seed) => {
      const one = fixture(seed, shakiness);
      const { random } = one;
      for (let round = 0; round < ROUNDS; round++) {
        const published: EventId[] = [];
        if (round > 0) {
          published.push(await one.clear());
          // A reconnect finds a lost announcement.
          one.log.cut();
          await one.log.restore();
        }
        const before = round === 0 ? ORIGIN : undefined;
        const subscribers: { sink: RecordingSink; from: EventId | undefined }[] = [];
        const join = (): void => {
          const sink = new RecordingSink(random() < 0.5 ? () => Math.floor(random() * 4) : undefined);
          const known = [before, ...published].filter((id) => id !== undefined);
          const from = random() < 0.3 ? undefined : known[Math.floor(random() * known.length)];
          one.subscribe(from === undefined ? { from: 'tail' } : { from: 'id', id: from }, sink);
          subscribers.push({ sink, from });
        };
        for (let i = 0; i < 40; i++) {
          if (random() < 0.2) join();
          published.push(await one.publish(String(i)));
          if (cuts && random() < 0.02) one.log.cut();
          if (cuts && random() < 0.1) await one.log.restore();
          if (random() < 0.3) await nextTurn();
        }
        const last = Array.from({ length: Math.floor(random() * 3) }, (_, i) => `last ${i}`);
        const end = await one.end(last);
        const { events } = await one.memory.read(NEWS, published.at(-1) as EventId, 2, one.policy);
        published.push(...events.map(({ id }) => id));
        for (let i = 0; i < 3; i++) join();
        // A reconnect finds a lost announcement of the end.
        one.log.cut();
        await one.log.restore();
        for (let i = 0; i < 3; i++) join();
        await Promise.all(subscribers.map(({ sink }) => ended(sink)));
        await turns();
        for (const { sink, from } of subscribers) {
          expect(sink.gaps).toEqual([]);
          expect(sink.ends).toEqual([end]);
          expect(sink.received.at(-1)?.kind).toBe('ended');
          const first = from === undefined ? sink.ids[0] : published[published.indexOf(from) + 1];
          expect(sink.ids).toEqual(
            first === undefined ? [] : published.slice(published.indexOf(first as EventId)),
          );
        }
      }
    },
  );
});

describe('the end of a channel', () => {
  test.each([
    ['with an event', ['the last']],
    ['without an event', []],
  ])('%s comes to a live subscriber after the last event', async (_how, texts) => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    const id = await one.publish('first');
    const end = await one.end(texts);
    await ended(sink);
    expect(sink.received.map(({ kind }) => kind)).toEqual([
      'ready',
      'event',
      ...texts.map(() => 'event'),
      'ended',
    ]);
    expect(sink.ends).toEqual([end]);
    expect(end === id).toBe(texts.length === 0);
  });

  test('comes at once to a subscriber without a cursor, and to one at the end', async () => {
    const one = fixture();
    const end = await one.end(['x']);
    const starts: Start[] = [
      { from: 'tail' },
      { from: 'id', id: end },
      { from: 'time', ms: Date.now() + 5_000 },
    ];
    for (const start of starts) {
      const { sink } = one.subscribe(start);
      await ended(sink);
      expect(sink.received).toEqual([{ kind: 'ended', position: end }]);
    }
  });

  test('comes after all events, when more of them are missed than one run holds', async () => {
    const one = fixture();
    const { sink: first } = one.subscribe();
    await ready(first);
    const seen = await one.publish('seen');
    await first.until(({ ids }) => ids.length === 1);
    // The events come before the first step of the second subscriber, in the same turn of the event loop.
    const { sink } = one.subscribe({ from: 'id', id: seen });
    const end = await one.end(Array.from({ length: 6 }, () => 'x'.repeat(100_000)));
    await Promise.all([ended(first), ended(sink)]);
    expect(sink.received.map(({ kind }) => kind)).toEqual([...Array<string>(6).fill('event'), 'ended']);
    expect(sink.ends).toEqual([end]);
    expect(first.ids).toHaveLength(7);
  });

  test('of a channel without any event is 0-0', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    expect(await one.end()).toBe(ORIGIN);
    await ended(sink);
    expect(sink.ends).toEqual([ORIGIN]);
  });

  test('reaches a live subscriber although its channel keeps no events, after more events than fit in memory', async () => {
    const one = fixture(1, {}, { policy: { size: 0 } });
    const { sink } = one.subscribe();
    await ready(sink);
    const ids: string[] = [];
    for (let i = 0; i < 400; i++) ids.push(await one.publish('x'.repeat(2_000)));
    ids.push(await one.end(['x']));
    await ended(sink);
    expect(sink.gaps).toEqual([]);
    expect(sink.ids).toEqual(ids);
  });

  test('comes after the gap of a subscriber whose events were trimmed', async () => {
    const one = fixture(1, {}, { policy: { size: 3 } });
    const [first, ...ids] = await one.publishMany(9);
    const end = await one.end(['x']);
    const { sink } = one.subscribe({ from: 'id', id: first as EventId });
    await ended(sink);
    expect(sink.gaps).toEqual([{ channel: 'news', after: first, before: ids[6] }]);
    expect([sink.ids, sink.ends]).toEqual([[...ids.slice(-2), end], [end]]);
  });

  test('is found when only the announcement of the last event is lost', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    one.log.loseNext();
    const end = await one.end(['x']);
    await ended(sink);
    expect([sink.ids, sink.ends, sink.gaps]).toEqual([[end], [end], []]);
  });

  test('is not believed when the log does not lead to it', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    const id = await one.publish('x');
    one.log.announceEndFalsely('99999999999999-0' as EventId);
    await expect.poll(() => one.log.reads).toBe(1);
    await turns();
    expect(one.log.reads).toBe(1);
    const next = await one.publish('y');
    await sink.until(({ position }) => position === next);
    expect([sink.ids, sink.ends]).toEqual([[id, next], []]);
  });

  test('waits for the slow subscriber, while the others get it', async () => {
    const one = fixture();
    const { sink: slow } = one.subscribe();
    const { sink: quick } = one.subscribe();
    await Promise.all([ready(slow), ready(quick)]);
    slow.blockAfterNextWrite();
    const ids = await one.publishMany(3);
    const end = await one.end(['x']);
    await ended(quick);
    expect(slow.ends).toEqual([]);
    slow.unblock();
    await ended(slow);
    for (const sink of [slow, quick]) expect([sink.ids, sink.ends]).toEqual([[...ids, end], [end]]);
  });

  test('leaves no subscriber behind: the channel is forgotten', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    await one.end(['x']);
    await ended(sink);
    await expect.poll(() => one.hub.channelsFollowed, { timeout: 10_000 }).toBe(0);
  });
});

describe('the hub says the state of a channel', () => {
  test('that it follows, without asking the log', async () => {
    const one = fixture();
    const { sink } = one.subscribe();
    await ready(sink);
    expect(one.hub.stateOf(NEWS)).toEqual({ tail: ORIGIN, status: 'empty' });
    const id = await one.publish('x');
    expect(one.hub.stateOf(NEWS)).toEqual({ tail: id, status: 'open' });
    const end = await one.end(['y']);
    expect(one.hub.stateOf(NEWS)).toEqual({ tail: end, status: 'ended' });
    const cleared = await one.clear();
    expect(one.hub.stateOf(NEWS)).toEqual({ tail: cleared, status: 'empty' });
    const next = await one.publish('z');
    expect(one.hub.stateOf(NEWS)).toEqual({ tail: next, status: 'open' });
  });

  test('that it does not follow, with one question for many readers', async () => {
    const one = fixture(1, { delay: 3 });
    const end = await one.end(['x']);
    const answers = await Promise.all(Array.from({ length: 100 }, async () => one.hub.stateOf(NEWS)));
    expect(new Set(answers.map((answer) => answer?.tail))).toEqual(new Set([end]));
    expect(one.log.states).toBe(1);
  });

  test('and gives up when the log does not answer', async () => {
    const one = fixture();
    await one.end(['x']);
    one.log.withholdPages();
    expect(await one.hub.stateOf(NEWS)).toBeUndefined();
    // The late question is not asked again.
    expect(await one.hub.stateOf(NEWS)).toBeUndefined();
    expect(one.log.states).toBe(1);
    one.log.releasePages();
    await expect.poll(async () => (await one.hub.stateOf(NEWS))?.status).toBe('ended');
  });
});
