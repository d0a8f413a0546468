import { expect, test } from 'vitest';
import { HISTORY_S, RateHistory } from '../../src/console/overview/rate-history.js';
import type { Replica, Sample } from '../../src/console/overview/rate-history.js';

const replica = (name: string, published?: number, delivered?: number, streams = 1): Replica => ({
  replica: name,
  version: '1.0.0',
  uptime: 1,
  streams,
  published,
  delivered,
});

/** The samples without their times. */
const figures = (samples: readonly Sample[]): (number | null)[][] =>
  samples.map(({ published, delivered, connections }) => [published, delivered, connections]);

test('rates are differences of counts, summed over replicas', () => {
  const history = new RateHistory();
  history.add(100, [replica('a', 1_000, 5_000), replica('b', 0, 0, 4)]);
  const rates = history.add(102, [replica('a', 1_020, 5_200), replica('b', 10, 0, 5)]);
  expect(rates.get('a')).toEqual({ published: 10, delivered: 100 });
  expect(figures(history.samples)).toEqual([
    [null, null, 5],
    [15, 100, 6],
  ]);
});

test('a replica that was missing has the mean rate of that time when it answers again', () => {
  const history = new RateHistory();
  history.add(0, [replica('a', 0, 0), replica('b', 0, 0)]);
  history.add(2, [replica('a', 2, 0)]);
  history.add(4, [replica('a', 4, 0), replica('b', 40, 0)]);
  expect(history.samples.map(({ published }) => published)).toEqual([null, 1, 11]);
});

test('an older replica without counts, and a replica that began anew, have no rates', () => {
  const history = new RateHistory();
  history.add(0, [replica('old'), replica('new', 50, 50)]);
  const rates = history.add(2, [replica('old'), replica('new', 1, 1)]);
  for (const name of ['old', 'new']) expect(rates.get(name)).toEqual({ published: null, delivered: null });
  expect(figures(history.samples).at(-1)).toEqual([null, null, 2]);
});

test('a pause is a hole, and samples are kept for five minutes', () => {
  const history = new RateHistory();
  for (let at = 0; at <= 1_000; at += 2) history.add(at, [replica('a', at, at)]);
  expect(history.samples).toHaveLength(HISTORY_S / 2 + 1);
  history.add(1_100, [replica('a', 1_100, 1_100)]);
  expect(figures(history.samples).slice(-3)).toEqual([
    [1, 1, 1],
    [null, null, null],
    [1, 1, 1],
  ]);
});

test('samples stay in order when the clock is set back', () => {
  const history = new RateHistory();
  for (const at of [5_000, 5_002, 1_000, 1_002, 1_004]) history.add(at, [replica('a', at, at)]);
  expect(history.samples.map(({ at }) => at)).toEqual([1_000, 1_002, 1_004]);
});
