import { expect, test } from 'vitest';
import { relaysFor, simulateHotChannel, simulateRelayDeath } from '../../../bench/model/hot-channel.ts';
import { simulateStorm } from '../../../bench/model/storm.ts';

const server = { event: 20, add: 0.5, write: 6.5, bytes: 200 };
const hot = { replicas: 1_000, rate: 100, root: server, events: 200, seed: 7 };
const storm = {
  lost: 20_000,
  replicas: 5,
  open: 1_000,
  cost: 150,
  refusal: 75,
  load: 0.4 / 1_000,
  limit: Infinity,
  retry: 2_000,
  seed: 7,
};

test.each([
  ['without relays', undefined],
  ['with relays', { count: 7, cost: server }],
])('a hot channel %s: each replica hears each event, in order', (_, relays) => {
  const result = simulateHotChannel({ ...hot, relays });
  expect(new Set(result.heard)).toEqual(new Set([200]));
  expect(result.inOrder).toBe(true);
  expect(result.p99).toBeGreaterThanOrEqual(result.p50);
  expect(simulateHotChannel({ ...hot, relays })).toEqual(result);
});

test('relays take the work from Redis, and there are enough of them', () => {
  const count = relaysFor(hot.replicas, 500, server, 6e5);
  const direct = simulateHotChannel({ ...hot, rate: 500 });
  const relayed = simulateHotChannel({ ...hot, rate: 500, relays: { count, cost: server } });
  expect(relayed.rootCpu).toBeLessThan(direct.rootCpu / 20);
  expect(relayed.relayCpu).toBeLessThan(0.7);
  expect(relayed.rootSent * hot.replicas).toBe(direct.rootSent * count);
});

test('after the death of a relay each replica reads what it missed, at least once', () => {
  const death = { orphans: 500, read: { tail: 30, page: 80, event: 2 }, free: 0.4, seed: 7 };
  const quick = simulateRelayDeath({ ...death, rate: 100, notice: [0, 5] });
  const late = simulateRelayDeath({ ...death, rate: 100, notice: [3_000, 2_000] });
  expect(quick.reads).toBe(1_000);
  expect(quick.waiting).toBeLessThanOrEqual(500);
  expect(late.missed).toBeGreaterThan(quick.missed);
  expect(late.over).toBeGreaterThan(quick.over);
});

test('a storm ends when everybody is back once, no sooner than the CPU allows', () => {
  const result = simulateStorm(storm);
  expect(result.served).toBe(storm.lost);
  expect(result.half).toBeLessThanOrEqual(result.most);
  expect(result.most).toBeLessThanOrEqual(result.over);
  // The free share of a core falls while connections come: a lower bound of the time is that of 0.6 of it.
  expect(result.over).toBeGreaterThan(((storm.lost / storm.replicas) * (storm.cost / 1e6)) / 0.6);
  expect(simulateStorm(storm)).toEqual(result);
});

test('replicas that are full ask the others to come later, until there are more replicas', () => {
  const full = { ...storm, load: 0.1 / 1_000, limit: 3_000 };
  expect(simulateStorm({ ...full, lost: 12_000 })).toMatchObject({ served: 10_000, over: Infinity });
  const eased = simulateStorm({ ...full, lost: 12_000, spare: { count: 2, after: 20_000 } });
  expect(eased.served).toBe(12_000);
  expect(eased.refused).toBeGreaterThan(0);
  expect(eased.over).toBeGreaterThan(20);
});
