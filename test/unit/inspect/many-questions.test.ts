import { expect, test } from 'vitest';
import { openInspection } from '../../../src/broker/inspection.ts';
import type { InspectionParts } from '../../../src/broker/inspection.ts';
import type { Config } from '../../../src/config/config.ts';

test('those who look in ask ten questions at the same time, and a question beyond 300 is refused', async () => {
  const answers: (() => void)[] = [];
  const control = {
    replica: 'a',
    answer: () => undefined,
    ask: () => new Promise((resolve) => answers.push(() => resolve({ answers: [], missing: 0, silent: [] }))),
  };
  const parts = { control, log: {} } as unknown as InspectionParts;
  const { busiest } = openInspection({} as Config, parts);
  const lists = Array.from({ length: 300 }, () => busiest.list(1));
  expect(answers).toHaveLength(10);
  await expect(busiest.list(1)).rejects.toMatchObject({ code: 'log-unavailable' });

  answers[0]?.();
  expect(await lists[0]).toMatchObject({ complete: true });
  await expect.poll(() => answers.length).toBe(11);
  lists.push(busiest.list(1));
  for (let i = 1; i < lists.length; i++) {
    await expect.poll(() => answers.length).toBeGreaterThan(i);
    answers[i]?.();
  }
  expect(await Promise.all(lists)).toHaveLength(301);
});
