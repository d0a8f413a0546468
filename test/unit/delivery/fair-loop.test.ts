import { expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';

/** Work that takes longer than one slice. */
function long(): number {
  const until = performance.now() + 10;
  while (performance.now() < until);
  return 1;
}

test('work that many request at the same time is spread over turns of the event loop', async () => {
  const loop = new FairLoop();
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const all = await Promise.all(Array.from({ length: 10 }, () => loop.inTurn(long)));
  clearInterval(count);
  expect(all).toEqual(Array(10).fill(1));
  expect(turns).toBeGreaterThanOrEqual(8);
});

test('an error in one piece of work rejects that piece alone', async () => {
  const loop = new FairLoop();
  const bad = loop.inTurn(() => {
    throw new RangeError('bad');
  });
  const good = loop.inTurn(() => 'good');
  await expect(bad).rejects.toThrow(RangeError);
  expect(await good).toBe('good');
});
