import type { Buffer } from 'node:buffer';
import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import type { ChannelState, LogListener } from '../event-log.ts';
import { compareEventIds } from '../../events/event.ts';
import type { EventId } from '../../events/event.ts';
import { parseAnnouncement } from './announcement.ts';
import type { PubSub, PubSubListener } from '../../redis/pub-sub.ts';
import type { RedisKeys } from '../../redis/redis-keys.ts';
import { troubleOf } from '../../redis/redis-trouble.ts';

export interface RedisFollowerOptions {
  readonly pubSub: PubSub;
  readonly keys: RedisKeys;
  /** Reads the channel's tail and status over another connection. */
  readonly state: (channel: ChannelName) => Promise<ChannelState>;
}

/** How long after a failed read of the tail the next one begins, in ms. Varies by half. */
const RETRY_MS = 500;

/**
 * Receives the announcements of followed channels. Subscribes first and reads the tail then, also after each interruption
 * (laws 2 and 3 of docs/architecture.md, Join and Reconnect).
 */
export class RedisFollower {
  readonly #options: RedisFollowerOptions;

  constructor(options: RedisFollowerOptions) {
    this.#options = options;
  }

  /** Returns the function that stops following. */
  follow(channel: ChannelName, listener: LogListener): () => void {
    const { pubSub, keys, state } = this.#options;
    const follower = new Follower(() => state(channel), listener);
    const unsubscribe = pubSub.subscribe(keys.live(channel), follower);
    return () => {
      unsubscribe();
      follower.stop();
    };
  }
}

class Follower implements PubSubListener {
  readonly #read: () => Promise<ChannelState>;
  readonly #listener: LogListener;
  #state: 'starting' | 'following' | 'interrupted' | 'stopped' = 'starting';
  /** Counts interruptions. A tail that was requested before an interruption does not cover the events lost in it. */
  #interruptions = 0;
  /** The last event of an announcement that could not be read and came before the tail was known. */
  #unread: EventId | undefined;
  /** The tail of an end that was announced before the tail was known. */
  #ended: EventId | undefined;

  constructor(read: () => Promise<ChannelState>, listener: LogListener) {
    this.#read = read;
    this.#listener = listener;
  }

  stop(): void {
    this.#state = 'stopped';
  }

  onSubscribed(): void {
    const interruptions = this.#interruptions;
    const isOutdated = (): boolean => this.#state === 'stopped' || this.#interruptions !== interruptions;
    this.#read().then(
      (state) => {
        if (!isOutdated()) this.#begin(state);
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
    const isFollowing = this.#state === 'following';
    if ('unknown' in announced) {
      if (isFollowing) this.#miss(announced.unknown);
      else this.#unread = announced.unknown;
    } else if ('ended' in announced) {
      if (isFollowing) this.#listener.onEnded(announced.ended);
      else this.#ended = announced.ended;
    } else {
      this.#listener.onEvents(announced);
    }
  }

  /** As if the announcement were lost: the channel reads the log, which says why it cannot give the event. */
  #miss(last: EventId): void {
    this.#listener.onInterrupted();
    this.#listener.onResumed({ tail: last, status: 'open' });
  }

  onSubscribeRefused(error: Error): void {
    this.#listener.onTrouble?.(
      new BrokerError('log-unavailable', 'Redis refuses the subscription to announcements.', {
        cause: error,
        trouble: troubleOf(error),
      }),
    );
  }

  #begin(state: ChannelState): void {
    const resumed = this.#state === 'interrupted';
    this.#state = 'following';
    if (resumed) this.#listener.onResumed(state);
    else this.#listener.onFollowing(state);
    const ended = this.#ended;
    const unread = this.#unread;
    this.#ended = undefined;
    this.#unread = undefined;
    // A later tail shows that the channel was cleared after its end.
    if (ended !== undefined && state.status !== 'ended' && compareEventIds(state.tail, ended) <= 0)
      this.#listener.onEnded(ended);
    if (unread !== undefined && compareEventIds(state.tail, unread) < 0) this.#miss(unread);
  }
}
