import { expect, test } from 'vitest';
import { Turns } from '../../../src/redis/turns.ts';

test('at most the limit of tasks run at a time, and others wait in the order of arrival', async () => {
  const turns = new Turns(2);
  const begun: number[] = [];
  const tasks = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const results = tasks.map((task, index) =>
    turns.take(() => {
      begun.push(index);
      return task.promise;
    }),
  );
  expect(begun).toEqual([0, 1]);
  tasks[1]?.resolve(1);
  expect(await results[1]).toBe(1);
  expect(begun).toEqual([0, 1, 2]);
  // A failed task gives up its turn, too.
  tasks[0]?.reject(new Error('no'));
  await expect(results[0]).rejects.toThrow('no');
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const task of tasks.slice(2)) task.resolve(2);
  expect(await Promise.all(results.slice(2))).toEqual([2, 2, 2]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  const late = turns.take(async () => 7);
  expect(await late).toBe(7);
});
