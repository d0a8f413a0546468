import { setTimeout as delay } from 'node:timers/promises';
import { startRedisGroup } from './redis-group.ts';
import type { NodePlan, RedisNode } from './redis-group.ts';
import type { Authority } from './certificates.ts';
import { serverPorts } from './server-ports.ts';

/** A master with one replica, watched by three Sentinels. */
export interface RedisSentinels {
  /** The URL for REDIS_URL. */
  readonly url: string;
  readonly master: RedisNode;
  readonly replica: RedisNode;
  readonly sentinels: readonly RedisNode[];
  /** Resolves once the Sentinels name the replica as master. */
  promoted(): Promise<void>;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
const NODES = 5;
const NAME = 'sluice-master';

/** With an authority, all servers use TLS among each other, and the URL asks for TLS. */
export async function startRedisSentinels(authority?: Authority): Promise<RedisSentinels> {
  const ports = await serverPorts(authority === undefined ? NODES : 2 * NODES);
  const addresses = authority === undefined ? ports : ports.slice(NODES);
  const [masterPort, replicaPort, ...sentinelPorts] = addresses;
  const sentinelConfig = [
    `sentinel monitor ${NAME} ${HOST} ${masterPort} 2`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  const plan = (index: number, config: readonly string[], sentinel = false): NodePlan => {
    const own = { port: ports[index] as number, config, sentinel };
    return authority === undefined ? own : { ...own, tls: { authority, port: addresses[index] as number } };
  };
  const group = await startRedisGroup([
    plan(0, ['repl-diskless-sync-delay 0']),
    plan(1, [`replicaof ${HOST} ${masterPort}`, 'repl-diskless-sync-delay 0']),
    ...sentinelPorts.map((_port, index) => plan(2 + index, sentinelConfig, true)),
  ]);
  const [master, replica, sentinel] = group.nodes as [RedisNode, RedisNode, RedisNode];
  await until(async () => (await replica.cli('info', 'replication')).includes('master_link_status:up'));
  await until(async () => {
    const state = await sentinel.cli('sentinel', 'master', NAME);
    return state.includes('num-slaves\n1') && state.includes('num-other-sentinels\n2');
  });
  return {
    url: `redis${authority === undefined ? '' : 's'}+sentinel://${sentinelPorts.map((port) => `${HOST}:${port}`).join(',')}/${NAME}`,
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

/** The Sentinels announce no agreement, so poll. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition().catch(() => false)) return;
    await delay(50);
  }
  throw new Error('the Sentinels do not come to rest');
}
