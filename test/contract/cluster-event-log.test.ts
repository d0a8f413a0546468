import { afterAll, beforeAll, describe } from 'vitest';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the log in a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.stop());

  eventLogContract((options) => openRedisLog({ ...options, url: cluster.url, prefix: 'contract:' }));
});
