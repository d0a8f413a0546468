import { afterAll, beforeAll, describe } from 'vitest';
import { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the log in a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  eventLogContract(async (options) => {
    const { promise: up, resolve } = Promise.withResolvers<void>();
    const log = new RedisEventLog({
      ...options,
      url: cluster.url,
      prefix: 'contract:',
      onHealth: (health) => health.up && resolve(),
    });
    await up;
    return log;
  });
});
