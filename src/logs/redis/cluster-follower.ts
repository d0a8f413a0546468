import calculateSlot from 'cluster-key-slot';
import type { Cluster, Redis } from 'ioredis';
import type { ChannelName } from '../../core/channel-name.ts';
import type { Following, LogListener } from '../../core/event-log.ts';
import type { EventId } from '../../core/event.ts';
import type { HostAndPort } from '../../core/redis-address.ts';
import { RedisFollower } from './redis-follower.ts';
import type { RedisKeys } from './redis-keys.ts';

export interface ClusterFollowerOptions {
  readonly cluster: Cluster;
  readonly keys: RedisKeys;
  readonly tail: (channel: ChannelName) => Promise<EventId>;
  /** A subscriber connection to one node, not opened yet. */
  readonly connect: (node: HostAndPort) => Redis;
}

/** Between two signs of life that each node is asked for, in ms. */
const PING = 2_000;

/** One node, and what is followed there. */
interface Node {
  readonly subscriber: Redis;
  readonly follower: RedisFollower;
  topics: number;
  /** Its connection was lost, or cannot be made; one that is being made for the first time is no outage. */
  away: boolean;
  /** Why it cannot be made. */
  failure: Error | undefined;
}

interface Topic {
  readonly channel: ChannelName;
  readonly slot: number;
  readonly listener: LogListener;
  readonly started: PromiseWithResolvers<EventId>;
  hasStarted: boolean;
  nodeKey: string | undefined;
  inner: Following | undefined;
}

/**
 * Follows channels in a cluster by sharded pub/sub (SSUBSCRIBE): each at the node that has its slot. When a slot moves,
 * its channels move along, which is to their listeners the same as a connection lost and found.
 */
export class ClusterFollower {
  readonly #options: ClusterFollowerOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #topics = new Set<Topic>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: ClusterFollowerOptions) {
    this.#options = options;
    options.cluster.on('refresh', () => this.#replaceAll());
    this.#timer = setInterval(() => this.#ping(), PING);
    this.#timer.unref();
  }

  /** Whether something is followed at this node (host:port) whose announcements do not arrive, and why not if that is known. */
  isDeafTo(nodeKey: string): { readonly why: Error | undefined } | undefined {
    const node = this.#nodes.get(nodeKey);
    return node?.away === true ? { why: node.failure } : undefined;
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    const topic: Topic = {
      channel,
      slot: calculateSlot(this.#options.keys.live(channel)),
      listener,
      started: Promise.withResolvers(),
      hasStarted: false,
      nodeKey: undefined,
      inner: undefined,
    };
    topic.started.promise.catch(() => undefined);
    this.#topics.add(topic);
    this.#place(topic);
    return {
      started: topic.started.promise,
      stop: () => {
        this.#topics.delete(topic);
        this.#leave(topic);
        if (!topic.hasStarted) topic.started.reject(new Error('stopped before it started'));
      },
    };
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { subscriber } of this.#nodes.values()) subscriber.disconnect();
    this.#nodes.clear();
  }

  /** The layout is known, or known anew. */
  #replaceAll(): void {
    for (const topic of this.#topics) this.#place(topic);
    for (const [key, node] of this.#nodes) {
      if (node.topics > 0) continue;
      node.subscriber.disconnect();
      this.#nodes.delete(key);
    }
  }

  #place(topic: Topic): void {
    const nodeKey = this.#options.cluster.slots[topic.slot]?.[0];
    if (nodeKey === undefined || nodeKey === topic.nodeKey) return;
    if (topic.nodeKey !== undefined && topic.hasStarted) topic.listener.onInterrupted();
    this.#leave(topic);
    const node = this.#node(nodeKey);
    node.topics++;
    topic.nodeKey = nodeKey;
    const inner = node.follower.follow(topic.channel, topic.listener);
    topic.inner = inner;
    inner.started.then(
      (tail) => {
        if (topic.inner !== inner) return;
        if (topic.hasStarted) topic.listener.onResumed(tail);
        topic.hasStarted = true;
        topic.started.resolve(tail);
      },
      () => undefined, // left before it started
    );
  }

  #leave(topic: Topic): void {
    if (topic.nodeKey === undefined) return;
    const node = this.#nodes.get(topic.nodeKey);
    topic.nodeKey = undefined;
    topic.inner?.stop();
    topic.inner = undefined;
    if (node !== undefined) node.topics--;
  }

  #node(key: string): Node {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { cluster, keys, tail, connect } = this.#options;
    const colon = key.lastIndexOf(':');
    const subscriber = connect({ host: key.slice(0, colon), port: Number(key.slice(colon + 1)) });
    const refresh = (): void => cluster.refreshSlotsCache();
    // A node that goes away says so by errors; the layout says where its channels are then.
    subscriber.on('error', refresh);
    // ioredis says so when a node ends a subscription because its slot has moved.
    subscriber.on('moved', refresh);
    const follower = new RedisFollower({ subscriber, keys, tail, sharded: true, onMoved: refresh });
    subscriber.connect().catch(() => undefined);
    const node: Node = { subscriber, follower, topics: 0, away: false, failure: undefined };
    subscriber.on('close', () => (node.away = true));
    subscriber.on('error', (error: Error) => (node.failure = error));
    subscriber.on('ready', () => {
      node.away = false;
      node.failure = undefined;
    });
    this.#nodes.set(key, node);
    return node;
  }

  /** A connection that is silently dead owes an answer from here on, and ioredis ends it for that. */
  #ping(): void {
    for (const { subscriber } of this.#nodes.values()) {
      if (subscriber.status === 'ready') subscriber.ping().catch(() => undefined);
    }
  }
}
