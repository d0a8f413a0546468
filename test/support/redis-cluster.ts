import { setTimeout as delay } from 'node:timers/promises';
import calculateSlot from 'cluster-key-slot';
import { Redis } from 'ioredis';
import { startRedisGroup } from './redis-group.ts';
import type { RedisNode } from './redis-group.ts';
import type { Authority } from './certificates.ts';
import { serverPorts } from './server-ports.ts';

/** Three masters, each with a replica. */
export interface RedisCluster {
  /** The URL for REDIS_URL. */
  readonly url: string;
  readonly nodes: readonly RedisNode[];
  /** The node that is now the master of the key's slot. */
  masterOf(key: string): Promise<RedisNode>;
  /** Moves the key's slot, with all its keys, to another master. */
  moveSlot(key: string): Promise<void>;
  /** Gives the key's slot, which must be empty, to another master and takes it back before anybody can notice. */
  flipSlot(key: string): Promise<void>;
  stop(): Promise<void>;
}

const MASTERS = 3;
const NODES = 2 * MASTERS;
const SLOTS = 16_384;
const HOST = '127.0.0.1';

/** With an authority, the nodes use TLS among each other, and the URL is `rediss:`. */
export async function startRedisCluster(authority?: Authority): Promise<RedisCluster> {
  const all = await serverPorts(authority === undefined ? NODES : 2 * NODES);
  const ports = all.slice(0, NODES);
  const tlsPorts = all.slice(NODES);
  const group = await startRedisGroup(
    ports.map((port, i) => ({
      port,
      ...(authority !== undefined && { tls: { authority, port: tlsPorts[i] as number } }),
      config: [
        ...(authority === undefined ? [] : ['tls-cluster yes']),
        'appendonly no',
        'cluster-enabled yes',
        'cluster-node-timeout 1500',
        'cluster-replica-validity-factor 0',
        'repl-diskless-sync-delay 0',
        `cluster-announce-ip ${HOST}`,
      ],
    })),
  );
  const { nodes } = group;
  const [first] = nodes;
  if (first === undefined) throw new Error('no node');
  for (const [i, node] of nodes.slice(0, MASTERS).entries()) {
    const from = Math.floor((i * SLOTS) / MASTERS);
    const to = Math.floor(((i + 1) * SLOTS) / MASTERS) - 1;
    await node.cli('cluster', 'addslotsrange', String(from), String(to));
    await node.cli('cluster', 'set-config-epoch', String(i + 1));
  }
  const addresses = authority === undefined ? ports : tlsPorts;
  for (const port of addresses.slice(1)) await first.cli('cluster', 'meet', HOST, String(port));
  await until(async () =>
    (await Promise.all(nodes.map((node) => knownNodes(node)))).every((count) => count === nodes.length),
  );
  for (const [i, replica] of nodes.slice(MASTERS).entries()) {
    const id = await (nodes[i] as RedisNode).cli('cluster', 'myid');
    await replica.cli('cluster', 'replicate', id);
  }
  await until(async () => (await Promise.all(nodes.map((node) => isSettled(node)))).every(Boolean));

  const masterOf = async (key: string): Promise<RedisNode> => {
    const port = await portOfSlot(first, calculateSlot(key));
    return nodes[addresses.indexOf(port)] as RedisNode;
  };
  return {
    url: `redis${authority === undefined ? '' : 's'}+cluster://${addresses.map((port) => `${HOST}:${port}`).join(',')}`,
    nodes,
    masterOf,
    async moveSlot(key) {
      const slot = String(calculateSlot(key));
      const source = await masterOf(key);
      const target = nodes.slice(0, MASTERS).find((node) => node !== source) as RedisNode;
      const [sourceId, targetId] = await Promise.all([
        source.cli('cluster', 'myid'),
        target.cli('cluster', 'myid'),
      ]);
      await target.cli('cluster', 'setslot', slot, 'importing', sourceId);
      await source.cli('cluster', 'setslot', slot, 'migrating', targetId);
      for (;;) {
        const keys = (await source.cli('cluster', 'getkeysinslot', slot, '100'))
          .split('\n')
          .filter((one) => one !== '');
        if (keys.length === 0) break;
        await source.cli('migrate', HOST, String(target.port), '', '0', '5000', 'keys', ...keys);
      }
      for (const node of [target, source]) await node.cli('cluster', 'setslot', slot, 'node', targetId);
      await until(async () => (await portOfSlot(first, Number(slot))) === target.port);
    },
    async flipSlot(key) {
      const source = await masterOf(key);
      const target = nodes.slice(0, MASTERS).find((node) => node !== source) as RedisNode;
      const [away, back] = await Promise.all(
        [target, source].map(
          async (node) => ['SETSLOT', calculateSlot(key), 'NODE', await node.cli('cluster', 'myid')] as const,
        ),
      );
      const redis = new Redis({ host: HOST, port: source.port });
      await redis
        .pipeline([
          ['cluster', ...(away ?? [])],
          ['cluster', ...(back ?? [])],
        ])
        .exec();
      redis.disconnect();
    },
    stop: () => group.stop(),
  };
}

async function knownNodes(node: RedisNode): Promise<number> {
  const text = await node.cli('cluster', 'nodes');
  return text.split('\n').filter((line) => line !== '' && !line.includes('handshake')).length;
}

async function isSettled(node: RedisNode): Promise<boolean> {
  const text = await node.cli('cluster', 'nodes');
  const linked = (text.match(/slave [0-9a-f]{40} .*connected/g) ?? []).length === MASTERS;
  const up = (await node.cli('cluster', 'info')).includes('cluster_state:ok');
  const replication = await node.cli('info', 'replication');
  return (
    linked &&
    up &&
    (replication.includes('role:master')
      ? replication.includes('state=online')
      : replication.includes('master_link_status:up'))
  );
}

async function portOfSlot(node: RedisNode, slot: number): Promise<number> {
  for (const line of (await node.cli('cluster', 'nodes')).split('\n')) {
    const [, address = '', flags = '', , , , , , ...ranges] = line.split(' ');
    if (!flags.includes('master') || flags.includes('fail')) continue;
    for (const range of ranges) {
      const [from = NaN, to = from] = range.split('-').map(Number);
      if (slot >= from && slot <= to) return Number(/:(\d+)@/.exec(address)?.[1]);
    }
  }
  return 0;
}

/** The cluster announces no agreement, so poll. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await condition()) return;
    await delay(50);
  }
  throw new Error('the cluster does not come to rest');
}
