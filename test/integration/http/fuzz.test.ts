import { expect, test } from 'vitest';
import { fuzz } from '../../soak/fuzzer.ts';

/** The short form of `npm run fuzz`: always the same cases, as far as their timing lets them be. */
const CASES = 1_500;

test('nonsense on raw sockets leaves the broker healthy', async () => {
  const { answers, faults } = await fuzz(1, (cases) => cases < CASES);
  expect(faults).toEqual([]);
  // It has got as far as every part of the server, and was not turned away at the door.
  for (const status of [200, 204, 400, 401, 404, 405, 413, 431])
    expect([...answers.keys()]).toContain(status);
});
