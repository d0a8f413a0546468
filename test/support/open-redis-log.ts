import { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';
import type { RedisEventLogOptions } from '../../src/logs/redis/redis-event-log.ts';

/** Resolves once both of its connections work: a log does not wait for the first one with what it is told. */
export async function openRedisLog(options: Omit<RedisEventLogOptions, 'onHealth'>): Promise<RedisEventLog> {
  const { promise: up, resolve } = Promise.withResolvers<void>();
  const log = new RedisEventLog({ ...options, onHealth: (health) => health.up && resolve() });
  await up;
  return log;
}
