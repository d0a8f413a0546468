import { expect, test } from 'vitest';
import { fuzz } from '../../soak/fuzzer.ts';
import { HOSTILE_INPUTS } from '../../soak/hostile-inputs.ts';
import { pressure } from '../../soak/pressure.ts';

/** The short form of `npm run fuzz`: always the same cases, as far as their timing lets them be. */
const CASES = 1_500;

test('nonsense on raw sockets leaves the broker healthy', async () => {
  const { answers, faults } = await fuzz(1, (cases) => cases < CASES);
  expect(faults).toEqual([]);
  // It has got as far as every part of the server, and was not turned away at the door.
  for (const status of [200, 204, 400, 401, 404, 405, 413, 431])
    expect([...answers.keys()]).toContain(status);
});

test('hostile heads, bodies and cursors take nothing from those who are honest', async () => {
  // Of each the smallest; how long the honest ones wait is for `npm run fuzz` to say.
  const inputs = HOSTILE_INPUTS.map((input) => ({ ...input, sizes: input.sizes.slice(0, 1) }));
  const all = await pressure({ each: 0, inputs });
  expect(all.map(({ input }) => input.name)).toEqual(HOSTILE_INPUTS.map(({ name }) => name));
  expect(all.filter(({ delays }) => delays.missing > 0)).toEqual([]);
});
