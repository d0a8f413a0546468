import { expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ChannelSubscribers } from '../../../src/inspect/channel-subscribers.ts';
import type { Answers, Json } from '../../../src/replicas/control-bus.ts';

const NEWS = parseChannelName('news');

/** A control bus on which other replicas have given these answers, one list for each question. */
function asking(rounds: readonly Answers<Json>[]): {
  readonly subscribers: ChannelSubscribers;
  readonly asked: { readonly payload: Json; readonly enough: number | undefined }[];
} {
  const asked: { payload: Json; enough: number | undefined }[] = [];
  const control = {
    replica: 'a',
    answer: () => undefined,
    ask: async (_kind: string, payload: Json, enough?: number) => {
      asked.push({ payload, enough });
      return rounds[asked.length - 1] ?? { answers: [], missing: 0, silent: [] };
    },
  };
  const hub = { subscribersOf: () => 0 };
  const connections = { visit: () => Promise.resolve() };
  return { subscribers: new ChannelSubscribers({ control, hub, connections }), asked };
}

const round = (missing: number, ...answers: [replica: string, answer: Json][]): Answers<Json> => ({
  answers: answers.map(([replica, answer]) => ({ replica, answer })),
  missing,
  silent: [],
});
const entries = (...subs: string[]): Json => subs.map((sub) => [sub, 1_000, '5-0']);

test('goes on only with replicas that have more, and waits for a hanging replica once', async () => {
  const { subscribers, asked } = asking([
    round(
      1,
      ['b', { count: 3, subscribers: entries('1', '2'), more: true }],
      ['c', { count: 1, subscribers: entries('3'), more: false }],
    ),
    round(
      1,
      ['b', { count: 3, subscribers: entries('4'), more: false }],
      ['c', { count: 0, subscribers: [], more: false }],
    ),
  ]);
  const { subscribers: found, ...rest } = await subscribers.list(NEWS, '7', 10);
  expect(rest).toEqual({ count: 4, complete: false });
  expect(found.map(({ sub, replica }) => `${sub} ${replica}`)).toEqual(['1 b', '2 b', '3 c', '4 b']);
  expect(asked).toEqual([
    { payload: { channel: 'news', most: 10, sub: '7' }, enough: undefined },
    { payload: { channel: 'news', most: 7, sub: '7', skip: { b: 2 } }, enough: 2 },
  ]);
});

test('stops at the limit, and when a replica has more and gives nothing', async () => {
  const full = asking([round(0, ['b', { count: 9, subscribers: entries('1', '2'), more: true }])]);
  expect(await full.subscribers.list(NEWS, undefined, 2)).toMatchObject({ count: 9, complete: true });
  expect(full.asked).toHaveLength(1);
  const empty = asking([round(0, ['b', { count: 9, subscribers: [], more: true }])]);
  expect(await empty.subscribers.list(NEWS, undefined, 2)).toMatchObject({ count: 9, subscribers: [] });
  expect(empty.asked).toHaveLength(1);
});

test.each<Json>([
  null,
  7,
  {},
  { count: 1, subscribers: [[7, 1, null]], more: false },
  { count: 1, subscribers: 7, more: false },
])('the answer %j of another release is not complete', async (answer) => {
  const { subscribers } = asking([round(0, ['b', answer])]);
  expect(await subscribers.list(NEWS, undefined, 5)).toEqual({ count: 0, complete: false, subscribers: [] });
});

test('a position that is no id is none', async () => {
  const { subscribers } = asking([
    round(0, [
      'b',
      {
        count: 2,
        subscribers: [
          [null, 1, 'x'],
          ['7', 2, null],
        ],
        more: false,
      },
    ]),
  ]);
  expect((await subscribers.list(NEWS, undefined, 5)).subscribers).toEqual([
    { sub: null, replica: 'b', since: 1, position: null },
    { sub: '7', replica: 'b', since: 2, position: null },
  ]);
});
