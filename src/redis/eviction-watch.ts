import { Cluster } from 'ioredis';
import type { Redis } from 'ioredis';

const POLICY = /^maxmemory_policy:([\w-]{1,40})\r?$/m;

/**
 * Reads the maxmemory-policy by INFO whenever a connection is ready. Calls the function when the policy has changed to one that
 * may evict keys of the broker. Does nothing when the user may not call INFO.
 */
export function watchEviction(redis: Redis | Cluster, onPolicy: (policy: string) => void): void {
  let last = 'noeviction';
  redis.on('ready', () => {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    void Promise.all(servers.map(policyOf)).then((policies) => {
      // Masters may have different policies. Reports the first one that evicts.
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
