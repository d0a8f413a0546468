import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { HostAndPort } from './redis-address.ts';
import { ClusterMonitor } from './cluster-monitor.ts';
import { ClusterPubSub } from './cluster-pub-sub.ts';
import { watchEviction } from './eviction-watch.ts';
import { clusterFailure, connectCluster, connectNodeSubscriber } from './redis-connections.ts';
import type { ClusterAddress } from './redis-connections.ts';
import { ZSCAN_COUNT, runProbe } from './redis-deployment.ts';
import type { RedisDeployment, RedisDeploymentOptions } from './redis-deployment.ts';
import { RedisScripts } from './redis-scripts.ts';

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
