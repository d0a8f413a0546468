import type { ChannelName } from '../../core/channel-name.ts';
import { PAGE_BYTES, TAIL_TTL } from '../../core/event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  Following,
  LogHealth,
  LogListener,
  LogPage,
} from '../../core/event-log.ts';
import type { EventId, NewEvent } from '../../core/event.ts';
import type { FailureWords, RedisClient } from './redis-client.ts';
import { RedisFollower } from './redis-follower.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { ScriptName } from './redis-scripts.ts';
import { appendedOf, eventIdOf, pageOf } from './script-replies.ts';
import { Turns } from './turns.ts';

export interface RedisEventLogOptions {
  readonly client: RedisClient;
  /** Events kept a channel. */
  readonly historySize: number;
  /** How long an event is kept, in ms. */
  readonly historyTtl: number;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
}

/** Pages that Redis may owe us at once: each can be as large as an event may be. */
const PAGES_AT_ONCE = 32;

const APPEND_WORDS: FailureWords = {
  nothingDone: 'Nothing was published.',
  next: 'Try again with the same Idempotency-Key.',
  unknown: 'The event may have been published: retry with the same Idempotency-Key.',
};
const READ_WORDS: FailureWords = {
  nothingDone: 'Nothing was read.',
  next: 'Try again.',
  unknown: 'Try again.',
};

/** The log in Redis: a stream for each channel, and pub/sub to announce what is appended to it. */
export class RedisEventLog implements EventLog {
  readonly #options: RedisEventLogOptions;
  readonly #keys: RedisKeys;
  readonly #pages = new Turns(PAGES_AT_ONCE);
  readonly #follower: RedisFollower;
  readonly #announce: 'PUBLISH' | 'SPUBLISH';

  constructor(options: RedisEventLogOptions) {
    this.#options = options;
    const { keys, pubSub, publish } = options.client;
    this.#keys = keys;
    this.#announce = publish;
    const tail = (channel: ChannelName): Promise<EventId> => this.rewind(channel, 0);
    this.#follower = new RedisFollower({ pubSub, keys, tail });
  }

  async append(
    channel: ChannelName,
    event: NewEvent,
    { idempotencyKey }: AppendOptions = {},
  ): Promise<Appended> {
    const { historySize, historyTtl, idempotencyTtl } = this.#options;
    const keys: [string, ...string[]] = [...this.#keys.channel(channel)];
    if (idempotencyKey !== undefined) keys.push(this.#keys.idempotency(channel, idempotencyKey));
    const live = this.#keys.live(channel);
    const args = [event.fields, historySize, historyTtl, historyTtl + TAIL_TTL, idempotencyTtl, live];
    return appendedOf(await this.#run('append', keys, [...args, this.#announce]));
  }

  async read(channel: ChannelName, after: EventId, limit: number): Promise<LogPage> {
    const { historySize, historyTtl } = this.#options;
    const args = [after, limit, PAGE_BYTES, historySize, historyTtl];
    const keys = this.#keys.channel(channel);
    return pageOf(await this.#pages.take(() => this.#run('read', keys, args)));
  }

  async rewind(channel: ChannelName, count: number): Promise<EventId> {
    const { historySize, historyTtl } = this.#options;
    return eventIdOf(
      await this.#run('rewind', this.#keys.channel(channel), [count, historySize, historyTtl]),
    );
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    const { promise, resolve, reject } = Promise.withResolvers<EventId>();
    promise.catch(() => undefined);
    const stop = this.#follower.follow(channel, {
      onFollowing: resolve,
      onEvents: (events) => listener.onEvents(events),
      onTrouble: (error) => listener.onTrouble?.(error),
      onInterrupted: () => listener.onInterrupted(),
      onResumed: (at) => listener.onResumed(at),
    });
    return {
      started: promise,
      stop: () => {
        stop();
        reject(new Error('stopped before it started'));
      },
    };
  }

  async health(): Promise<LogHealth> {
    return this.#options.client.health;
  }

  /** Closes the client, and with it the control bus and the counter that use it. */
  async close(): Promise<void> {
    this.#options.client.close();
  }

  #run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    const words = script === 'append' ? APPEND_WORDS : READ_WORDS;
    return this.#options.client.run(script, keys, args, words);
  }
}
