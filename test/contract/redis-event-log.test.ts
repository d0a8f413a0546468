import { afterAll, beforeAll, describe } from 'vitest';
import { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the log in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  eventLogContract(async (options) => {
    const { promise: up, resolve } = Promise.withResolvers<void>();
    const log = new RedisEventLog({
      ...options,
      url: redis.url,
      prefix: 'contract:',
      onHealth: (health) => health.up && resolve(),
    });
    await up;
    return log;
  });
});
