import { RedisClient } from '../../src/redis/redis-client.ts';
import type { RedisClientOptions } from '../../src/redis/redis-client.ts';
import { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import type { RedisEventLogOptions } from '../../src/log/redis/redis-event-log.ts';

/** Options of a log and of its Redis client, which closes with the log. */
export type RedisLogOptions = Omit<RedisEventLogOptions, 'client'> & RedisClientOptions;

/** Resolves once the log takes events and receives announcements. A log alone does not wait for its connections. */
export async function openRedisLog({
  idempotencyTtl,
  onKeysDropped,
  ...options
}: Omit<RedisLogOptions, 'onHealth'>): Promise<RedisEventLog> {
  const client = await openRedisClient(options);
  return new RedisEventLog({ client, idempotencyTtl, onKeysDropped });
}

export async function openRedisClient(options: Omit<RedisClientOptions, 'onHealth'>): Promise<RedisClient> {
  const { promise: up, resolve } = Promise.withResolvers<void>();
  const client = new RedisClient({ ...options, onHealth: (health) => health.up && resolve() });
  await up;
  return client;
}
