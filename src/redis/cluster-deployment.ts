import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { HostAndPort } from './redis-address.ts';
import { ClusterMonitor } from './cluster-monitor.ts';
import { ClusterPubSub } from './cluster-pub-sub.ts';
import { watchEviction } from './eviction-watch.ts';
import { clusterFailure, connectCluster, connectNodeSubscriber } from './redis-connections.ts';
import type { ClusterAddress } from './redis-connections.ts';
import { ZSCAN_COUNT, checkScanCursor, runProbe } from './redis-deployment.ts';
import type { RedisDeployment, RedisDeploymentOptions } from './redis-deployment.ts';
import { RedisScripts } from './redis-scripts.ts';

/** A cursor of SCAN at a node of a cluster. */
const NODE_CURSOR = /^(\d{1,20})@(\S{1,300}:\d{1,5})$/;

export class ClusterDeployment implements RedisDeployment {
  readonly scripts: RedisScripts;
  readonly reads: RedisScripts;
  readonly pubSub: ClusterPubSub;
  readonly publish = 'SPUBLISH';
  readonly monitor: ClusterMonitor;
  readonly #cluster: Cluster;
  readonly #reads: Cluster;

  constructor(
    address: ClusterAddress,
    { keys, tls, waitReplicas, onHealth, onEviction }: RedisDeploymentOptions,
  ) {
    const cluster = connectCluster(address, tls);
    const reads = connectCluster(address, tls, 'reads');
    this.#cluster = cluster;
    this.#reads = reads;
    this.scripts = new RedisScripts(cluster, nodesOf(cluster), waitReplicas);
    this.reads = new RedisScripts(reads, nodesOf(reads), 0);
    const connect = (node: HostAndPort): Redis => connectNodeSubscriber(address, tls, node);
    const pubSub = new ClusterPubSub({ cluster, connect });
    this.pubSub = pubSub;
    const whyNot = (): Promise<Error | undefined> => clusterFailure(address.nodes.map(connect));
    const probe = (tag: string): Promise<number> => runProbe(this, keys, tag, keys.probed(tag)[0]);
    this.monitor = new ClusterMonitor({ cluster, pubSub, probe, whyNot, onHealth });
    watchEviction(cluster, onEviction);
    cluster.connect().catch(() => undefined);
    reads.connect().catch(() => undefined);
  }

  zscan(key: string, cursor: string): Promise<[string, string[]]> {
    return this.#cluster.zscan(key, cursor, 'COUNT', ZSCAN_COUNT);
  }

  /** Scans one master after the other. A cursor names its master: `<cursor of SCAN>@<host:port>`. */
  async scan(cursor: string, pattern: string, count: number): Promise<[string, string[]]> {
    const [, inNode = '0', node = ''] = NODE_CURSOR.exec(cursor) ?? [];
    if (node === '' && cursor !== '0') throw new RangeError('no cursor of this cluster');
    checkScanCursor(inNode);
    const masters = this.#cluster
      .nodes('master')
      .map((redis) => ({ redis, name: `${redis.options.host}:${redis.options.port}` }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    // A master that is no longer there is skipped: its keys are at another one.
    const at = masters.findIndex(({ name }) => name >= node);
    const master = masters[at];
    if (master === undefined) return ['0', []];
    const from = master.name === node || node === '' ? inNode : '0';
    const [next, keys] = await master.redis.scan(from, 'MATCH', pattern, 'COUNT', count);
    if (next !== '0') return [`${next}@${master.name}`, keys];
    const following = masters[at + 1];
    return [following === undefined ? '0' : `0@${following.name}`, keys];
  }

  close(): void {
    this.monitor.close();
    this.pubSub.close();
    this.#cluster.disconnect();
    this.#reads.disconnect();
  }
}

/** Returns a function that gives the same text for keys on the same node, by the layout that ioredis knows at that time. */
function nodesOf({ slots }: Cluster): (key: string) => string {
  return (key) => slots[calculateSlot(key)]?.join(',') ?? '';
}
