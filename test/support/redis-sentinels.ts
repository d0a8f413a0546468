import { setTimeout as delay } from 'node:timers/promises';
import { startRedisGroup } from './redis-group.ts';
import type { RedisNode } from './redis-group.ts';
import { serverPorts } from './server-ports.ts';

/** A master with a replica, watched by three Sentinels. */
export interface RedisSentinels {
  /** As REDIS_URL. */
  readonly url: string;
  readonly master: RedisNode;
  readonly replica: RedisNode;
  readonly sentinels: readonly RedisNode[];
  /** Resolves once the Sentinels name the replica as master. */
  promoted(): Promise<void>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const NAME = 'sluice-master';

export async function startRedisSentinels(): Promise<RedisSentinels> {
  const [masterPort, replicaPort, ...sentinelPorts] = await serverPorts(5);
  const sentinelConfig = [
    `sentinel monitor ${NAME} ${HOST} ${masterPort} 2`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  const group = await startRedisGroup([
    { port: masterPort as number, config: ['repl-diskless-sync-delay 0'] },
    {
      port: replicaPort as number,
      config: [`replicaof ${HOST} ${masterPort}`, 'repl-diskless-sync-delay 0'],
    },
    ...sentinelPorts.map((port) => ({ port, config: sentinelConfig, sentinel: true })),
  ]);
  const [master, replica, sentinel] = group.nodes as [RedisNode, RedisNode, RedisNode];
  await until(async () => (await replica.cli('info', 'replication')).includes('master_link_status:up'));
  await until(async () => {
    const state = await sentinel.cli('sentinel', 'master', NAME);
    return state.includes('num-slaves\n1') && state.includes('num-other-sentinels\n2');
  });
  return {
    url: `redis+sentinel://${sentinelPorts.map((port) => `${HOST}:${port}`).join(',')}/${NAME}`,
    master,
    replica,
    sentinels: group.nodes.slice(2),
    promoted: () =>
      until(async () => {
        const address = await sentinel.cli('sentinel', 'get-master-addr-by-name', NAME);
        return address.includes(String(replicaPort)) && (await replica.cli('role')).startsWith('master');
      }),
    stop: () => group.stop(),
  };
}

/** Nothing announces what Sentinels have agreed on: they have to be asked. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition().catch(() => false)) return;
    await delay(50);
  }
  throw new Error('the Sentinels do not come to rest');
}
