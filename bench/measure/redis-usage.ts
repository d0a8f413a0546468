import type { RedisServer } from '../../test/support/redis-server.ts';
import { processUsage } from './process-usage.ts';

/** The resource use of a Redis server since it started. */
export interface RedisUsage {
  /** In µs. */
  readonly cpu: number;
  /** How many bytes it has sent: answers, and announcements to replicas. */
  readonly sent: number;
  /** How many scripts it has run. */
  readonly scripts: number;
}

const NOTHING: RedisUsage = { cpu: 0, sent: 0, scripts: 0 };

export async function redisUsage(redis: RedisServer | undefined): Promise<RedisUsage> {
  if (redis === undefined) return NOTHING;
  const info = await redis.cli('INFO', 'everything');
  const field = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? 0);
  const { cpu } = await processUsage([field(/process_id:(\d+)/)]);
  return {
    cpu,
    // Adds the size of this answer, so that it does not count for the next measurement.
    sent: field(/total_net_output_bytes:(\d+)/) + info.length,
    scripts: field(/cmdstat_evalsha:calls=(\d+)/),
  };
}
