import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import type { EventId, NewEvent } from '../../../src/events/event.ts';
import { appendMany, firstRefusal } from '../../../src/publish/append-many.ts';
import type { ManyOptions } from '../../../src/publish/append-many.ts';
import type { ChannelPublications } from '../../../src/publish/publication-list.ts';

type Page = Parameters<ManyOptions['append']>[0];

function publications(
  name: string,
  count: number,
  more: Partial<ChannelPublications> = {},
): ChannelPublications {
  const events: NewEvent[] = Array.from({ length: count }, (_, i) => ({ data: String(i) }));
  return { channel: name as ChannelName, events, end: false, ifLast: undefined, ...more };
}

const results = (page: Page): { id: EventId; replayed: boolean }[] =>
  page.events.map((_event, i) => ({ id: `1-${page.firstPosition + i}` as EventId, replayed: false }));

function options(more: Partial<ManyOptions> & Pick<ManyOptions, 'append'>): ManyOptions {
  return { check: undefined, inTurn: async (work) => work(), skipEnded: false, ...more };
}

test('events are appended in pages, with the condition on the first and the end on the last', async () => {
  const pages: Page[] = [];
  const ifLast = '5-0' as EventId;
  const append = async (page: Page): Promise<ReturnType<typeof results>> => {
    pages.push(page);
    return results(page);
  };
  const one = publications('a', 600, { end: true, ifLast });
  const { published, results: all } = await appendMany([one], options({ append }));
  expect(pages.map((page) => [page.events.length, page.firstPosition, page.ifLast, page.end])).toEqual([
    [256, 0, ifLast, false],
    [256, 256, undefined, false],
    [88, 512, undefined, true],
  ]);
  expect([published, all.get(one)?.length]).toEqual([600, 600]);
});

test('a page has at most 1 MiB of data, or one larger event', async () => {
  const sizes: number[] = [];
  const append = async (page: Page): Promise<ReturnType<typeof results>> => {
    sizes.push(page.events.length);
    return results(page);
  };
  const data = [0.6, 0.6, 0.3, 2, 0.1].map((size) => ({ data: 'x'.repeat(size * 1024 ** 2) }));
  await appendMany([publications('a', 0, { events: data })], options({ append }));
  expect(sizes).toEqual([1, 2, 1, 1]);
});

test('at most 32 channels are appended to at the same time, in their order', async () => {
  const begun: string[] = [];
  const waiting: (() => void)[] = [];
  const append = (page: Page): Promise<ReturnType<typeof results>> => {
    begun.push(page.channel);
    return new Promise((resolve) => waiting.push(() => resolve(results(page))));
  };
  const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
  const done = appendMany(
    names.map((one) => publications(one, 1)),
    options({ append }),
  );
  await expect.poll(() => begun.length).toBe(32);
  for (let i = 0; i < 100; i++) {
    await expect.poll(() => waiting.length).toBeGreaterThan(i);
    waiting[i]?.();
  }
  expect((await done).published).toBe(100);
  expect(begun).toEqual(names);
});

const failing = (error: BrokerError, at: number): Pick<ManyOptions, 'append'> => {
  let count = 0;
  return {
    append: async (page) => {
      if (count++ === at) throw error;
      return results(page);
    },
  };
};

describe('a failure half-way', () => {
  test('says how many events are in the log, and in which channel it was', async () => {
    const error = new BrokerError('log-unavailable', 'Redis is away.', { retryAfter: 3 });
    const appending = appendMany([publications('a', 1_000)], options(failing(error, 2)));
    await expect(appending).rejects.toMatchObject({
      code: 'log-unavailable',
      message: 'Events of the body in the log: 512. For a: Redis is away.',
      retryAfter: 3,
      members: { published: 512, channel: 'a' },
    });
  });

  test('keeps what the log says, and the message of a single append', async () => {
    const error = new BrokerError('tail-mismatch', 'Another tail.', { members: { tail: '7-0' } });
    await expect(appendMany([publications('a', 1)], options(failing(error, 0)))).rejects.toMatchObject({
      message: 'Another tail.',
      members: { published: 0, channel: 'a', tail: '7-0' },
    });
  });

  test('lets no further append begin', async () => {
    const error = new BrokerError('log-full', 'Full.');
    let appends = 0;
    const { append } = failing(error, 40);
    const counting = (page: Page): ReturnType<typeof append> => {
      appends++;
      return append(page);
    };
    const names = Array.from({ length: 1_000 }, (_, i) => publications(`c${i}`, 1));
    await expect(appendMany(names, options({ append: counting }))).rejects.toMatchObject({
      code: 'log-full',
    });
    expect(appends).toBeLessThan(41 + 32);
  });

  test('of an ended channel is skipped when every channel was asked for', async () => {
    const error = new BrokerError('channel-ended', 'Ended.');
    const names = ['a', 'b', 'c'].map((one) => publications(one, 1));
    const done = await appendMany(names, options({ ...failing(error, 1), skipEnded: true }));
    expect([done.published, done.skipped]).toEqual([2, 1]);
  });
});

test('all keys are checked before the first append, where there are several', async () => {
  const order: string[] = [];
  const many = options({
    append: async (page) => {
      order.push(`append ${page.channel} ${page.firstPosition}`);
      return results(page);
    },
    check: async (page) => void order.push(`check ${page.channel} ${page.firstPosition}`),
  });
  await appendMany([publications('a', 300), publications('b', 1)], many);
  expect(order.slice(0, 3).toSorted()).toEqual(['check a 0', 'check a 256', 'check b 0']);
  expect(order.slice(3).toSorted()).toEqual(['append a 0', 'append a 256', 'append b 0']);
  order.length = 0;
  await appendMany([publications('a', 1)], many);
  expect(order).toEqual(['append a 0']);
});

const atOnce = async (page: Page): Promise<ReturnType<typeof results>> => results(page);

test('each append of several is done in a turn of its own, and an append alone needs none', async () => {
  let turns = 0;
  const many = options({
    append: atOnce,
    inTurn: async (work) => {
      turns++;
      return work();
    },
  });
  await appendMany([publications('a', 1)], many);
  expect(turns).toBe(0);
  await appendMany([publications('a', 300), publications('b', 1)], many);
  expect(turns).toBe(3);
});

test('no more data than one append may have are on their way to the log at the same time', async () => {
  let onTheirWay = 0;
  let most = 0;
  const append = async (page: Page): Promise<ReturnType<typeof results>> => {
    onTheirWay += page.events.reduce((sum, { data }) => sum + data.length, 0);
    most = Math.max(most, onTheirWay);
    await nextTurn();
    onTheirWay -= page.events.reduce((sum, { data }) => sum + data.length, 0);
    return results(page);
  };
  const events = [{ data: 'x'.repeat(100_000) }];
  const names = Array.from({ length: 50 }, (_, i) => publications(`c${i}`, 0, { events }));
  await appendMany(names, options({ append }));
  expect(most).toBeLessThanOrEqual(1024 ** 2);
  expect(most).toBeGreaterThan(500_000);
});

test('a refused channel among thousands is found in slices', async () => {
  const channels = Array.from({ length: 1_000 }, (_, i) => publications(`c${i}`, 1));
  let slices = 0;
  const loop: Parameters<typeof firstRefusal>[2] = {
    add(task) {
      do slices++;
      while (task.run(0));
    },
  };
  const refused = new BrokerError('forbidden', 'No.');
  const checked: string[] = [];
  const refusalOf = (channel: string): BrokerError | undefined => {
    checked.push(channel);
    return channel === 'c900' ? refused : undefined;
  };
  expect(await firstRefusal(channels, refusalOf, loop)).toBe(refused);
  expect([slices, checked]).toEqual([901, channels.slice(0, 901).map(({ channel }) => channel)]);
  expect(await firstRefusal(channels.slice(0, 10), refusalOf, loop)).toBeUndefined();
});
