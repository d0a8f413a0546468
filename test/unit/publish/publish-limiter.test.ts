import { expect, test } from 'vitest';
import type { RateCounter } from '../../../src/core/rate.ts';
import { sharedRateStore } from '../../../src/http/shared-rate-store.ts';

interface Store {
  readonly uncounted: () => number;
  readonly asked: () => number;
  readonly count: (name: string) => Promise<unknown>;
}

function storeOver(hit: RateCounter['hit']): Store {
  let uncounted = 0;
  let asked = 0;
  const counter: RateCounter = {
    hit(name, window) {
      asked++;
      return hit(name, window);
    },
  };
  const Class = sharedRateStore(counter, () => uncounted++);
  const store = new Class({});
  return {
    uncounted: () => uncounted,
    asked: () => asked,
    count: (name) =>
      new Promise((resolve, reject) => {
        store.incr(name, (error, result) => (error === null ? resolve(result) : reject(error)), 1_000, 5);
      }),
  };
}

test('it gives what was counted', async () => {
  const { count, uncounted } = storeOver(async (name, window) => ({ count: name.length, left: window - 1 }));
  expect(await count('key:x')).toEqual({ current: 5, ttl: 999 });
  expect(uncounted()).toBe(0);
});

test.each<[how: string, hit: RateCounter['hit']]>([
  ['refuses', () => Promise.reject(new Error('away'))],
  ['never answers', () => new Promise(() => undefined)],
])('a counter that %s lets everybody through, and is not asked for each of them', async (_how, hit) => {
  const { count, uncounted, asked } = storeOver(hit);
  for (let i = 0; i < 10; i++) expect(await count('key:x')).toEqual({ current: 0, ttl: 0 });
  expect(uncounted()).toBe(10);
  expect(asked()).toBe(1);
});
