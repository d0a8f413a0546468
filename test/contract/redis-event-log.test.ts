import { afterAll, beforeAll, describe } from 'vitest';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the log in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  eventLogContract((options) => openRedisLog({ ...options, url: redis.url, prefix: 'contract:' }));
});
