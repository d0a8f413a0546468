import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisClient } from '../../src/redis/redis-client.ts';
import { RedisRateCounter } from '../../src/publish/redis-rate-counter.ts';
import { openRedisClient } from '../support/open-redis-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';

/** The counts that all replicas share: the rates of publishers. */

const HOUR = 3_600_000;

const open = (url: string): Promise<RedisClient> => openRedisClient({ url, prefix: 'rates:' });

describe.each([
  ['on one Redis', startRedis],
  ['in a cluster', startRedisCluster],
])('%s', (_where, startServers) => {
  let servers: { readonly url: string; stop(): Promise<void> };
  let clients: [RedisClient, RedisClient];
  let counters: [RedisRateCounter, RedisRateCounter];
  let name: string;
  beforeAll(async () => {
    servers = await startServers();
  });
  afterAll(() => servers.stop());
  beforeEach(async () => {
    clients = await Promise.all([open(servers.url), open(servers.url)]);
    counters = clients.map((client) => new RedisRateCounter(client)) as typeof counters;
    name = randomUUID();
  });
  afterEach(() => {
    for (const client of clients) client.close();
  });

  test('calls of all replicas with one name count together', async () => {
    const counts = await Promise.all(
      Array.from(
        { length: 50 },
        async (_, i) => (await (counters[i % 2] as RedisRateCounter).count(name, HOUR)).count,
      ),
    );
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('a call may count many', async () => {
    expect((await counters[0].count(name, HOUR, 1_000)).count).toBe(1_000);
    expect((await counters[1].count(name, HOUR)).count).toBe(1_001);
    expect((await counters[0].count(name, HOUR, 9)).count).toBe(1_010);
  });

  test('each name has its own count, on any node of a cluster', async () => {
    const names = Array.from({ length: 20 }, () => randomUUID());
    for (const expected of [1, 2]) {
      const counts = await Promise.all(names.map(async (one) => (await counters[0].count(one, HOUR)).count));
      expect(counts).toEqual(names.map(() => expected));
    }
  });

  test('a window begins with its first count, later counts do not make it longer, and a new window counts from one', async () => {
    const first = await counters[0].count(name, HOUR);
    expect(first.left).toBeLessThanOrEqual(HOUR);
    const second = await counters[1].count(name, 2 * HOUR);
    expect(second.left).toBeGreaterThan(0);
    expect(second.left).toBeLessThanOrEqual(first.left);
    const short = randomUUID();
    await counters[0].count(short, 50);
    await expect.poll(async () => (await counters[1].count(short, 50)).count).toBe(1);
  });
});
