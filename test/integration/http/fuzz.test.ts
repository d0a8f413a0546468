import { expect, test } from 'vitest';
import { fuzz } from '../../soak/fuzzer.ts';
import { HOSTILE_INPUTS } from '../../soak/hostile-inputs.ts';
import { pressure } from '../../soak/pressure.ts';

/** A short `npm run fuzz`: the same cases each time, as far as timing allows. */
const CASES = 1_500;

test('random bytes on raw sockets leave the broker healthy', async () => {
  const { answers, faults } = await fuzz(1, (cases) => cases < CASES);
  expect(faults).toEqual([]);
  // These statuses show that the bytes reached every part of the server.
  for (const status of [200, 204, 400, 401, 404, 405, 413, 431])
    expect([...answers.keys()]).toContain(status);
});

test('hostile heads, bodies and cursors cost honest clients no event', async () => {
  // The smallest size of each input. `npm run fuzz` measures how long honest clients wait.
  const inputs = HOSTILE_INPUTS.map((input) => ({ ...input, sizes: input.sizes.slice(0, 1) }));
  const all = await pressure({ each: 0, inputs });
  expect(all.map(({ input }) => input.name)).toEqual(HOSTILE_INPUTS.map(({ name }) => name));
  expect(all.filter(({ delays }) => delays.missing > 0)).toEqual([]);
});
