import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { PlainHistogram } from '../../../src/observe/plain-histogram.ts';

const ABOUT = { name: 'seconds', help: 'How long.', buckets: [0.001, 0.5, 1] };

test("a scrape reads the same text as of prom-client's histogram", async () => {
  const expected = new Registry();
  const registry = new Registry();
  const theirs = new Histogram({ ...ABOUT, registers: [expected] });
  const ours = new PlainHistogram({ ...ABOUT, registry });
  expect(await registry.metrics()).toBe(await expected.metrics());
  for (const seconds of [0, 0.001, 0.3, 0.500_1, 1, 7]) {
    theirs.observe(seconds);
    ours.note(seconds);
  }
  expect(await registry.metrics()).toBe(await expected.metrics());
});
