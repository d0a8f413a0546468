import type { Buffer } from 'node:buffer';
import type { Redis } from 'ioredis';
import type { PubSub, PubSubListener } from './pub-sub.ts';
import { lastFailureOf } from './redis-connections.ts';

export interface SubscriberConnectionOptions {
  /** A connection that is not open. {@link SubscriberConnection} opens and closes it. */
  readonly redis: Redis;
  /** Whether the connection is to one node of a cluster, where pub/sub is sharded. */
  readonly sharded?: boolean;
}

/** The largest number of names in one SUBSCRIBE, and in one turn of the event loop. */
const BATCH = 500;
/** How long after a refusal a subscription is tried again, in ms. Varies by half. */
const RETRY_MS = 500;

/** One pub/sub channel. */
interface Topic {
  readonly name: string;
  readonly separate: boolean;
  readonly subscriptions: Set<Subscription>;
  state: 'new' | 'requested' | 'confirmed';
}

interface Subscription {
  readonly listener: PubSubListener;
  /** True from `onSubscribed` until `onInterrupted`. */
  subscribed: boolean;
}

/**
 * Pub/sub over one connection. The names of one turn of the event loop share a SUBSCRIBE. Whenever the connection is ready
 * again, all names are subscribed again.
 */
export class SubscriberConnection implements PubSub {
  readonly #redis: Redis;
  readonly #sharded: boolean;
  readonly #topics = new Map<string, Topic>();
  readonly #lastFailure: () => Error | undefined;
  /** Topics with a listener that waits for a confirmation. */
  readonly #added = new Set<Topic>();
  readonly #removed = new Set<string>();
  #flushScheduled = false;
  #away = false;
  /** Whether the node may have ended subscriptions because their slots have moved. */
  #moved = false;

  constructor({ redis, sharded = false }: SubscriberConnectionOptions) {
    this.#redis = redis;
    this.#sharded = sharded;
    this.#lastFailure = lastFailureOf(redis);
    redis.on(sharded ? 'smessageBuffer' : 'messageBuffer', (name: Buffer, message: Buffer) => {
      const topic = this.#topics.get(name.toString());
      if (topic === undefined) return;
      for (const { listener } of topic.subscriptions) listener.onMessage(message);
    });
    redis.on('ready', () => {
      this.#away = false;
      for (const topic of this.#topics.values()) this.#added.add(topic);
      this.#scheduleFlush();
    });
    redis.on('close', () => {
      this.#away = true;
      this.#interruptAll();
    });
    // ioredis emits this when a node of a cluster ends or refuses a subscription because its slot has moved.
    redis.on('moved', () => {
      this.#moved = true;
      this.#scheduleFlush();
    });
    // ioredis reconnects until the connection is closed.
    redis.connect().catch(() => undefined);
  }

  get ready(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Whether the connection was lost or could not be made. A first attempt under way is no outage. */
  get away(): boolean {
    return this.#away;
  }

  /** Why the last attempt to connect failed; undefined when the reason is unknown, and while the connection is ready. */
  get failure(): Error | undefined {
    return this.#lastFailure();
  }

  /** Calls the function whenever the connection is closed, and whenever an attempt to connect has failed. */
  onClosed(call: () => void): void {
    this.#redis.on('close', call);
  }

  subscribe(name: string, listener: PubSubListener): () => void {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = { name, separate: listener.separate ?? false, subscriptions: new Set(), state: 'new' };
      this.#topics.set(name, topic);
    }
    const { subscriptions } = topic;
    const subscription: Subscription = { listener, subscribed: false };
    subscriptions.add(subscription);
    this.#added.add(topic);
    this.#scheduleFlush();
    return () => {
      subscription.subscribed = false;
      subscriptions.delete(subscription);
      if (subscriptions.size > 0 || this.#topics.get(name)?.subscriptions !== subscriptions) return;
      this.#topics.delete(name);
      this.#removed.add(name);
      this.#scheduleFlush();
    };
  }

  /** Sends a PING. ioredis closes a connection that does not answer, so this finds a connection that is silently dead. */
  ping(): void {
    if (this.ready) this.#redis.ping().catch(() => undefined);
  }

  reconnect(): void {
    this.#redis.disconnect(true);
  }

  close(): void {
    this.#redis.disconnect();
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  /** Requests a limited number of names. The rest waits for the next turn: Redis confirms each name by a message of its own. */
  #flush(): void {
    if (!this.ready) {
      this.#removed.clear();
      return;
    }
    if (this.#moved) this.#interruptEnded();
    const removed = takeFirst(this.#removed, (name) => !this.#topics.has(name));
    const added = takeFirst(this.#added, (topic) => this.#isCurrent(topic));
    if (this.#removed.size > 0 || this.#added.size > 0) this.#scheduleFlush();
    if (removed.length > 0) this.#leave(removed);
    const together: Topic[] = [];
    for (const topic of added) {
      if (topic.state === 'confirmed') this.#confirm(topic);
      else if (topic.state === 'requested') continue;
      // In a cluster all names of one command must share a slot, and names rarely do.
      else if (topic.separate || this.#sharded) this.#request([topic]);
      else together.push(topic);
    }
    if (together.length > 0) this.#request(together);
  }

  /** When UNSUBSCRIBE fails, further messages of the name arrive. There is no topic for them, so they are ignored. */
  #leave(names: readonly string[]): void {
    const left = this.#sharded
      ? names.map((name) => this.#redis.sunsubscribe(name))
      : [this.#redis.unsubscribe(...names)];
    for (const one of left) one.catch(() => undefined);
  }

  #request(topics: readonly Topic[]): void {
    const { stream } = this.#redis;
    const isSameConnection = (): boolean => this.#redis.stream === stream && this.ready;
    for (const topic of topics) topic.state = 'requested';
    const names = topics.map(({ name }) => name);
    const done = this.#sharded ? this.#redis.ssubscribe(...names) : this.#redis.subscribe(...names);
    done.then(
      () => {
        if (!isSameConnection()) return;
        for (const topic of topics) if (this.#isCurrent(topic)) this.#confirm(topic);
      },
      (error: unknown) => {
        // All names are subscribed again when there is a connection again.
        if (!isSameConnection()) return;
        for (const topic of topics) topic.state = 'new';
        // A moved slot is not a refusal: ioredis has emitted 'moved', and the names are subscribed at another node.
        if (!(error as Error).message.startsWith('MOVED')) refuse(topics, error as Error);
        const retry = (): void => {
          for (const topic of topics) this.#added.add(topic);
          this.#flush();
        };
        setTimeout(retry, RETRY_MS * (0.5 + Math.random())).unref();
      },
    );
  }

  #confirm(topic: Topic): void {
    topic.state = 'confirmed';
    for (const subscription of topic.subscriptions) {
      if (subscription.subscribed) continue;
      subscription.subscribed = true;
      subscription.listener.onSubscribed();
    }
  }

  #interruptAll(): void {
    for (const topic of this.#topics.values()) this.#interrupt(topic);
  }

  /**
   * Finds the subscriptions that the node has ended, and has them subscribed again. When a slot moves away and back before
   * the cluster's layout is read again, nothing else shows that its names are not subscribed any more.
   */
  #interruptEnded(): void {
    this.#moved = false;
    const { subscriber = false } = this.#redis.condition ?? {};
    const current = new Set(subscriber === false ? [] : subscriber.channels('ssubscribe'));
    for (const topic of this.#topics.values()) {
      if (topic.state !== 'confirmed' || current.has(topic.name)) continue;
      this.#interrupt(topic);
      this.#added.add(topic);
    }
  }

  #interrupt(topic: Topic): void {
    topic.state = 'new';
    for (const subscription of topic.subscriptions) {
      if (!subscription.subscribed) continue;
      subscription.subscribed = false;
      subscription.listener.onInterrupted();
    }
  }

  /** Whether the topic still has subscriptions. After the last one has ended, a new object represents the name. */
  #isCurrent(topic: Topic): boolean {
    return this.#topics.get(topic.name) === topic;
  }
}

function refuse(topics: readonly Topic[], error: Error): void {
  for (const { subscriptions } of topics) {
    for (const { listener } of subscriptions) listener.onSubscribeRefused(error);
  }
}

/** Removes and returns the first members that are wanted, at most {@link BATCH}. Removes the unwanted ones before them, too. */
function takeFirst<T>(members: Set<T>, isWanted: (member: T) => boolean): T[] {
  const taken: T[] = [];
  for (const member of members) {
    if (taken.length === BATCH) break;
    members.delete(member);
    if (isWanted(member)) taken.push(member);
  }
  return taken;
}
