import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { HostAndPort } from '../../core/redis-address.ts';

export interface ClusterControlConnectionOptions {
  readonly cluster: Cluster;
  /** Any name in the slot. */
  readonly key: string;
  /** A subscriber connection to one node, not opened yet. */
  readonly connect: (node: HostAndPort) => Redis;
  /** Called with each connection before it is opened. */
  readonly attach: (subscriber: Redis) => void;
}

/** Between two signs of life that the node is asked for, in ms. */
const PING = 2_000;

/** A connection for announcements to the node that has one slot; to another one, when the slot has moved there. */
export class ClusterControlConnection {
  readonly #options: ClusterControlConnectionOptions;
  readonly #slot: number;
  readonly #timer: NodeJS.Timeout;
  #nodeKey: string | undefined;
  #subscriber: Redis | undefined;

  constructor(options: ClusterControlConnectionOptions) {
    this.#options = options;
    this.#slot = calculateSlot(options.key);
    options.cluster.on('refresh', () => this.#place());
    options.cluster.on('ready', () => this.#place());
    // A connection that is silently dead owes an answer from here on, and ioredis ends it for that.
    this.#timer = setInterval(() => {
      if (this.#subscriber?.status === 'ready') this.#subscriber.ping().catch(() => undefined);
    }, PING);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#subscriber?.disconnect();
  }

  /** The layout is known, or known anew. */
  #place(): void {
    const { cluster, connect, attach } = this.#options;
    // Who can hear and not speak is of no use yet.
    if (cluster.status !== 'ready') return;
    const nodeKey = cluster.slots[this.#slot]?.[0];
    if (nodeKey === undefined || nodeKey === this.#nodeKey) return;
    this.#nodeKey = nodeKey;
    this.#subscriber?.disconnect();
    const colon = nodeKey.lastIndexOf(':');
    const subscriber = connect({ host: nodeKey.slice(0, colon), port: Number(nodeKey.slice(colon + 1)) });
    const refresh = (): void => cluster.refreshSlotsCache();
    subscriber.on('error', refresh);
    // ioredis says so when the node ends a subscription because its slot has moved.
    subscriber.on('moved', refresh);
    attach(subscriber);
    this.#subscriber = subscriber;
    subscriber.connect().catch(() => undefined);
  }
}
