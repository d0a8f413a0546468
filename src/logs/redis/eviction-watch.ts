import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';

const POLICY = /^maxmemory_policy:([\w-]{1,40})\r?$/m;

/**
 * Looks whenever a connection is ready whether Redis may evict what is kept, and says so when it finds another policy than
 * the last time. Where INFO may not be read it says nothing.
 */
export function watchEviction(redis: Redis | Cluster, onPolicy: (policy: string) => void): void {
  let last = 'noeviction';
  redis.on('ready', () => {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    void Promise.all(servers.map(policyOf)).then((policies) => {
      // Masters may differ, and one of them that evicts is enough.
      const policy = policies.find((one) => one !== undefined && one !== 'noeviction');
      if (policy !== undefined && policy !== last) onPolicy(policy);
      if (policies.some((one) => one !== undefined)) last = policy ?? 'noeviction';
    });
  });
}

async function policyOf(redis: Redis): Promise<string | undefined> {
  try {
    return POLICY.exec(await redis.info('memory'))?.[1];
  } catch {
    return undefined;
  }
}
