import type { Buffer } from 'node:buffer';
import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import type { LogListener } from '../event-log.ts';
import type { EventId } from '../../events/event.ts';
import { parseAnnouncement } from './announcement.ts';
import type { PubSub, PubSubListener } from '../../redis/pub-sub.ts';
import type { RedisKeys } from '../../redis/redis-keys.ts';
import { troubleOf } from '../../redis/redis-trouble.ts';

export interface RedisFollowerOptions {
  readonly pubSub: PubSub;
  readonly keys: RedisKeys;
  /** Reads the channel's tail, over another connection. */
  readonly tail: (channel: ChannelName) => Promise<EventId>;
}

/** Before the tail is read again that could not be read, in ms; the wait varies by half of it. */
const RETRY_MS = 500;

/**
 * Hears what is appended to the channels that somebody follows. Subscribes first and then reads the tail, also after each
 * interruption (the laws Join and Reconnect of docs/architecture.md).
 */
export class RedisFollower {
  readonly #options: RedisFollowerOptions;

  constructor(options: RedisFollowerOptions) {
    this.#options = options;
  }

  /** Gives the function that stops it. */
  follow(channel: ChannelName, listener: LogListener): () => void {
    const { pubSub, keys, tail } = this.#options;
    const follower = new Follower(() => tail(channel), listener);
    const unsubscribe = pubSub.subscribe(keys.live(channel), follower);
    return () => {
      unsubscribe();
      follower.stop();
    };
  }
}

class Follower implements PubSubListener {
  readonly #tail: () => Promise<EventId>;
  readonly #listener: LogListener;
  #state: 'starting' | 'following' | 'interrupted' | 'stopped' = 'starting';
  /** Counts interruptions: a tail that was asked for before one does not cover what was lost in it. */
  #interruptions = 0;

  constructor(tail: () => Promise<EventId>, listener: LogListener) {
    this.#tail = tail;
    this.#listener = listener;
  }

  stop(): void {
    this.#state = 'stopped';
  }

  onSubscribed(): void {
    const interruptions = this.#interruptions;
    const isOutdated = (): boolean => this.#state === 'stopped' || this.#interruptions !== interruptions;
    this.#tail().then(
      (tail) => {
        if (!isOutdated()) this.#begin(tail);
      },
      (error: unknown) => {
        if (isOutdated()) return;
        this.#listener.onTrouble?.(error);
        const retry = (): void => {
          if (!isOutdated()) this.onSubscribed();
        };
        setTimeout(retry, RETRY_MS * (0.5 + Math.random())).unref();
      },
    );
  }

  onInterrupted(): void {
    this.#interruptions++;
    if (this.#state !== 'following') return;
    this.#state = 'interrupted';
    this.#listener.onInterrupted();
  }

  onMessage(message: Buffer): void {
    const announced = parseAnnouncement(message);
    if (announced === undefined) return;
    if (!('unknown' in announced)) {
      this.#listener.onEvents(announced);
    } else if (this.#state === 'following') {
      // As if the announcement were lost: the channel reads the log, which says why it cannot give the event.
      this.#listener.onInterrupted();
      this.#listener.onResumed(announced.unknown);
    }
  }

  onSubscribeRefused(error: Error): void {
    this.#listener.onTrouble?.(
      new BrokerError('log-unavailable', 'Redis refuses to announce what is published.', {
        cause: error,
        trouble: troubleOf(error),
      }),
    );
  }

  #begin(tail: EventId): void {
    const resumed = this.#state === 'interrupted';
    this.#state = 'following';
    if (resumed) this.#listener.onResumed(tail);
    else this.#listener.onFollowing(tail);
  }
}
