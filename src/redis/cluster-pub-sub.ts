import type { Buffer } from 'node:buffer';
import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { HostAndPort } from './redis-address.ts';
import type { PubSub, PubSubListener } from './pub-sub.ts';
import { SubscriberConnection } from './subscriber-connection.ts';

export interface ClusterPubSubOptions {
  /** Knows which node has which slot. */
  readonly cluster: Cluster;
  /** Makes a subscriber connection to one node and does not open it. */
  readonly connect: (node: HostAndPort) => Redis;
}

/** Between two PINGs to each node, in ms. */
const PING_MS = 2_000;

interface Node {
  readonly connection: SubscriberConnection;
  /** How many names are subscribed at the node. */
  names: number;
}

/**
 * Sharded pub/sub (SSUBSCRIBE). Each name is subscribed at the node that has the name's slot, over one connection for each
 * node. When a slot moves, its names are subscribed at the new node, and their listeners are interrupted meanwhile.
 */
export class ClusterPubSub implements PubSub {
  readonly #options: ClusterPubSubOptions;
  /** By host:port, the name that ioredis gives a node. */
  readonly #nodes = new Map<string, Node>();
  readonly #placements = new Set<Placement>();
  readonly #pingTimer: NodeJS.Timeout;

  constructor(options: ClusterPubSubOptions) {
    this.#options = options;
    options.cluster.on('refresh', () => this.#placeAll());
    options.cluster.on('ready', () => this.#placeAll());
    this.#pingTimer = setInterval(() => {
      for (const { connection } of this.#nodes.values()) connection.ping();
    }, PING_MS);
    this.#pingTimer.unref();
  }

  subscribe(name: string, listener: PubSubListener): () => void {
    const placement = new Placement(name, listener);
    this.#placements.add(placement);
    this.#place(placement);
    return () => {
      this.#placements.delete(placement);
      this.#leave(placement);
    };
  }

  /** The outage of the connection to this node (host:port): messages of the names there do not arrive. Undefined without one. */
  outageAt(nodeKey: string): { readonly why: Error | undefined } | undefined {
    const connection = this.#nodes.get(nodeKey)?.connection;
    return connection?.away === true ? { why: connection.failure } : undefined;
  }

  close(): void {
    clearInterval(this.#pingTimer);
    for (const { connection } of this.#nodes.values()) connection.close();
    this.#nodes.clear();
  }

  /** Subscribes each name where the current layout of the cluster puts it. */
  #placeAll(): void {
    for (const placement of this.#placements) this.#place(placement);
    for (const [key, { connection, names }] of this.#nodes) {
      if (names > 0) continue;
      connection.close();
      this.#nodes.delete(key);
    }
  }

  #place(placement: Placement): void {
    const { cluster } = this.#options;
    // A listener gives commands once it is subscribed, and the cluster accepts no commands before it is ready.
    if (cluster.status !== 'ready') return;
    const nodeKey = cluster.slots[placement.slot]?.[0];
    if (nodeKey === undefined || nodeKey === placement.nodeKey) return;
    this.#leave(placement);
    if (placement.subscribed) placement.onInterrupted();
    const node = this.#nodeAt(nodeKey);
    node.names++;
    placement.nodeKey = nodeKey;
    placement.unsubscribe = node.connection.subscribe(placement.name, placement);
  }

  #leave(placement: Placement): void {
    const { nodeKey } = placement;
    placement.unsubscribe();
    placement.nodeKey = undefined;
    const node = nodeKey === undefined ? undefined : this.#nodes.get(nodeKey);
    if (node !== undefined) node.names--;
  }

  #nodeAt(nodeKey: string): Node {
    const known = this.#nodes.get(nodeKey);
    if (known !== undefined) return known;
    const { cluster, connect } = this.#options;
    const colon = nodeKey.lastIndexOf(':');
    const redis = connect({ host: nodeKey.slice(0, colon), port: Number(nodeKey.slice(colon + 1)) });
    const refresh = (): void => cluster.refreshSlotsCache();
    // A lost node causes errors. The new layout says which node has its names.
    redis.on('error', refresh);
    // ioredis emits 'moved' when the node ends or refuses a subscription because its slot has moved.
    redis.on('moved', refresh);
    const node: Node = { connection: new SubscriberConnection({ redis, sharded: true }), names: 0 };
    this.#nodes.set(nodeKey, node);
    return node;
  }
}

/** One subscription and its node. Passes the calls of the node's connection on to the listener. */
class Placement implements PubSubListener {
  readonly name: string;
  readonly slot: number;
  readonly separate: boolean;
  subscribed = false;
  nodeKey: string | undefined;
  unsubscribe: () => void = () => undefined;
  readonly #listener: PubSubListener;

  constructor(name: string, listener: PubSubListener) {
    this.name = name;
    this.slot = calculateSlot(name);
    this.separate = listener.separate ?? false;
    this.#listener = listener;
  }

  onSubscribed(): void {
    this.subscribed = true;
    this.#listener.onSubscribed();
  }

  onInterrupted(): void {
    this.subscribed = false;
    this.#listener.onInterrupted();
  }

  onMessage(message: Buffer): void {
    this.#listener.onMessage(message);
  }

  onSubscribeRefused(error: Error): void {
    this.#listener.onSubscribeRefused(error);
  }
}
