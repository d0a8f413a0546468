import { expect, test } from 'vitest';
import { BrokerStatus } from '../../../src/inspect/broker-status.ts';
import type { Json } from '../../../src/replicas/control-bus.ts';

const HEALTH = { up: true, slotsDown: 0, reason: '' as const, detail: '' };

/** The status of a replica `a`, when these other replicas answer. */
async function statusWith(others: Readonly<Record<string, Json>>, missing = 0) {
  const control = {
    replica: 'a',
    answer: () => undefined,
    ask: async () => ({
      answers: Object.entries(others).map(([replica, answer]) => ({ replica, answer })),
      missing,
      silent: [],
    }),
  };
  return await new BrokerStatus({
    control,
    version: '2.0.0',
    uptime: () => 7.9,
    streams: () => 3,
    counts: async () => ({ published: 11, delivered: 33 }),
    log: { kind: 'redis', health: async () => HEALTH },
    settings: () => ({}),
  }).read();
}

const OWN = { replica: 'a', version: '2.0.0', uptime: 7, streams: 3, published: 11, delivered: 33 };
const other = { version: '2.0.0', uptime: 1, streams: 2, published: 5, delivered: 10 };

test('counts the events of each replica, its own at the top', async () => {
  const status = await statusWith({ b: other });
  expect(status).toMatchObject({ ...OWN, complete: true });
  expect(status.replicas).toEqual([OWN, { replica: 'b', ...other }]);
});

test('a replica of an older version has no counts, and is complete', async () => {
  const older = { version: '1.0.0', uptime: 9, streams: 4 };
  const status = await statusWith({ b: older });
  expect(status.replicas).toEqual([OWN, { replica: 'b', ...older }]);
  expect(status.complete).toBe(true);
});

test('counts of another form are left out', async () => {
  const status = await statusWith({ b: { ...other, published: '5', delivered: null } });
  expect(status.replicas[1]).toEqual({ replica: 'b', version: '2.0.0', uptime: 1, streams: 2 });
});

test.each<Json>([null, 'x', { version: '1.0.0' }])(
  'an answer %j is no replica, and not complete',
  async (answer) => {
    expect(await statusWith({ b: answer })).toMatchObject({ replicas: [OWN], complete: false });
  },
);
