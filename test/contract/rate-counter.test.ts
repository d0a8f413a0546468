import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';

/** What replicas count together: the rates of publishers. */

const HOUR = 3_600_000;

const open = (url: string): Promise<RedisEventLog> =>
  openRedisLog({ url, prefix: 'rates:', idempotencyTtl: HOUR });

describe.each([
  ['on one Redis', startRedis],
  ['in a cluster', startRedisCluster],
])('%s', (_where, startServers) => {
  let servers: { readonly url: string; stop(): Promise<void> };
  let logs: [RedisEventLog, RedisEventLog];
  let name: string;
  beforeAll(async () => {
    servers = await startServers();
  });
  afterAll(() => servers.stop());
  beforeEach(async () => {
    logs = await Promise.all([open(servers.url), open(servers.url)]);
    name = randomUUID();
  });
  afterEach(() => Promise.all(logs.map((log) => log.close())));

  test('all that hit a name count as one', async () => {
    const counts = await Promise.all(
      Array.from(
        { length: 50 },
        async (_, i) => (await (logs[i % 2] as RedisEventLog).hit(name, HOUR)).count,
      ),
    );
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
  });

  test('each name has its own count, wherever in a cluster it is kept', async () => {
    const names = Array.from({ length: 20 }, () => randomUUID());
    for (const expected of [1, 2]) {
      const counts = await Promise.all(names.map(async (one) => (await logs[0].hit(one, HOUR)).count));
      expect(counts).toEqual(names.map(() => expected));
    }
  });

  test('a window begins with its first and is not made longer by the others; then all begins anew', async () => {
    const first = await logs[0].hit(name, HOUR);
    expect(first.left).toBeLessThanOrEqual(HOUR);
    const second = await logs[1].hit(name, 2 * HOUR);
    expect(second.left).toBeGreaterThan(0);
    expect(second.left).toBeLessThanOrEqual(first.left);
    const short = randomUUID();
    await logs[0].hit(short, 50);
    await expect.poll(async () => (await logs[1].hit(short, 50)).count).toBe(1);
  });
});
