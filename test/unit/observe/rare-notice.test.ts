import { expect, test } from 'vitest';
import { RareNotice } from '../../../src/observe/rare-notice.ts';

test('each kind is reported at once, and then once per interval with the number since', () => {
  const clock = { now: 0 };
  const said: [string, number, string][] = [];
  const notice = new RareNotice<'a' | 'b', string>(
    (kind, times, latest) => said.push([kind, times, latest]),
    10_000,
    () => clock.now,
  );
  notice.note('a', 'first');
  for (let i = 0; i < 100; i++) notice.note('a', 'more');
  notice.note('b', 'another');
  expect(said).toEqual([
    ['a', 1, 'first'],
    ['b', 1, 'another'],
  ]);
  clock.now = 10_000;
  notice.note('a', 'latest');
  notice.note('a', 'next');
  expect(said.slice(2)).toEqual([['a', 101, 'latest']]);
});
