import type { Buffer } from 'node:buffer';
import type { Redis } from 'ioredis';
import type { ChannelName } from '../../core/channel-name.ts';
import type { Following, LogListener } from '../../core/event-log.ts';
import { BrokerError } from '../../core/errors.ts';
import type { EventId } from '../../core/event.ts';
import { parseAnnouncement } from './announcement.ts';
import type { RedisKeys } from './redis-keys.ts';
import { troubleOf } from './redis-trouble.ts';

export interface RedisFollowerOptions {
  readonly subscriber: Redis;
  readonly keys: RedisKeys;
  /** The channel's tail, read over another connection. */
  readonly tail: (channel: ChannelName) => Promise<EventId>;
  /** One node of a cluster, which announces what is in its own slots only. */
  readonly sharded?: boolean;
  /** Called when the node says that a channel is another node's now. */
  readonly onMoved?: () => void;
}

/** Channels named in one SUBSCRIBE. */
const BATCH = 500;
const RETRY = 500;

/** What is known of one channel that somebody follows. */
interface Topic {
  readonly channel: ChannelName;
  readonly wireName: string;
  readonly followers: Set<Follower>;
}

interface Follower {
  readonly listener: LogListener;
  readonly started: PromiseWithResolvers<EventId>;
  hasStarted: boolean;
  interrupted: boolean;
}

/**
 * Hears what is appended to the channels that somebody follows. Subscribes once for all who follow a channel, together
 * for all channels of one turn, and in its own order after a reconnect: subscribe first, then look at the tail (the laws Join and
 * Reconnect of docs/architecture.md).
 */
export class RedisFollower {
  readonly #options: RedisFollowerOptions;
  readonly #topics = new Map<string, Topic>();
  /** Waiting for their SUBSCRIBE. */
  #wanted = new Set<Topic>();
  #unwanted = new Set<string>();
  #scheduled = false;

  constructor(options: RedisFollowerOptions) {
    this.#options = options;
    const { subscriber } = options;
    subscriber.on(
      options.sharded === true ? 'smessageBuffer' : 'messageBuffer',
      (name: Buffer, message: Buffer) => this.#onMessage(name, message),
    );
    subscriber.on('ready', () => {
      for (const topic of this.#topics.values()) this.#wanted.add(topic);
      this.#schedule();
    });
    subscriber.on('close', () => this.#onClose());
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    const wireName = this.#options.keys.live(channel);
    let topic = this.#topics.get(wireName);
    if (topic === undefined) {
      topic = { channel, wireName, followers: new Set() };
      this.#topics.set(wireName, topic);
    }
    const follower: Follower = {
      listener,
      started: Promise.withResolvers(),
      hasStarted: false,
      interrupted: false,
    };
    follower.started.promise.catch(() => undefined);
    topic.followers.add(follower);
    this.#wanted.add(topic);
    this.#schedule();
    const { wireName: name, followers } = topic;
    return {
      started: follower.started.promise,
      stop: () => {
        followers.delete(follower);
        if (!follower.hasStarted) follower.started.reject(new Error('stopped before it started'));
        if (followers.size > 0 || this.#topics.get(name)?.followers !== followers) return;
        this.#topics.delete(name);
        this.#unwanted.add(name);
        this.#schedule();
      },
    };
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { subscriber } = this.#options;
    const left = [...this.#unwanted].filter((name) => !this.#topics.has(name));
    this.#unwanted.clear();
    if (subscriber.status !== 'ready') return;
    const wanted = [...this.#wanted].filter((topic) => this.#topics.get(topic.wireName) === topic);
    this.#wanted.clear();
    const { sharded = false } = this.#options;
    // A shard takes one slot in a command, and each channel has its own.
    const batch = sharded ? 1 : BATCH;
    for (let i = 0; i < left.length; i += batch) {
      const names = left.slice(i, i + batch);
      // A name that stays subscribed by accident costs a message now and then, which finds nobody.
      (sharded ? subscriber.sunsubscribe(...names) : subscriber.unsubscribe(...names)).catch(() => undefined);
    }
    for (let i = 0; i < wanted.length; i += batch) this.#subscribe(wanted.slice(i, i + batch));
  }

  #subscribe(topics: readonly Topic[]): void {
    const { subscriber, sharded = false, onMoved } = this.#options;
    const names = topics.map((topic) => topic.wireName);
    (sharded ? subscriber.ssubscribe(...names) : subscriber.subscribe(...names)).then(
      () => {
        for (const topic of topics) this.#look(topic);
      },
      (error: unknown) => {
        // When the connection broke, all is subscribed anew once it is ready; when the node refused, somewhat later.
        if ((error as Error).message.startsWith('MOVED')) onMoved?.();
        else this.#report(topics, error as Error);
        this.#later(() => {
          for (const topic of topics) this.#wanted.add(topic);
          this.#flush();
        });
      },
    );
  }

  #later(action: () => void): void {
    setTimeout(action, RETRY * (0.5 + Math.random())).unref();
  }

  /** Subscribed: what is appended from now on will be heard. The tail tells what may not have been. */
  #look(topic: Topic): void {
    const { subscriber } = this.#options;
    const { stream } = subscriber;
    this.#options.tail(topic.channel).then(
      (tail) => {
        // A tail from before a reconnect says nothing about what was lost in it.
        if (subscriber.stream !== stream || subscriber.status !== 'ready') return;
        for (const follower of topic.followers) this.#tell(follower, tail);
      },
      (error: unknown) => {
        this.#report([topic], error as Error);
        this.#later(() => {
          if (subscriber.stream === stream && this.#topics.get(topic.wireName) === topic) this.#look(topic);
        });
      },
    );
  }

  #report(topics: readonly Topic[], error: Error): void {
    const told =
      error instanceof BrokerError
        ? error
        : new BrokerError('log-unavailable', 'Redis refuses to announce what is published.', {
            cause: error,
            trouble: troubleOf(error),
          });
    for (const { followers } of topics) {
      for (const { listener } of followers) listener.onTrouble?.(told);
    }
  }

  #tell(follower: Follower, tail: EventId): void {
    if (!follower.hasStarted) {
      follower.hasStarted = true;
      follower.started.resolve(tail);
    } else if (follower.interrupted) {
      follower.interrupted = false;
      follower.listener.onResumed(tail);
    }
  }

  #onClose(): void {
    for (const { followers } of this.#topics.values()) {
      for (const follower of followers) {
        if (!follower.hasStarted || follower.interrupted) continue;
        follower.interrupted = true;
        follower.listener.onInterrupted();
      }
    }
  }

  #onMessage(name: Buffer, message: Buffer): void {
    const topic = this.#topics.get(name.toString('latin1'));
    if (topic === undefined) return;
    const announced = parseAnnouncement(message);
    if (announced === undefined) return;
    for (const follower of topic.followers) {
      if (!('unknown' in announced)) {
        follower.listener.onEvents(announced);
      } else if (follower.hasStarted && !follower.interrupted) {
        // As if the announcement were lost: the channel reads the log, which says why it cannot give the event.
        follower.listener.onInterrupted();
        follower.listener.onResumed(announced.unknown);
      }
    }
  }
}
