import type { ChannelName } from '../../events/channel-name.ts';
import { PAGE_BYTES, TAIL_TTL_MS, refuseTooMany } from '../event-log.ts';
import type {
  AppendOptions,
  Appended,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LogHealth,
  LogListener,
  LogPage,
} from '../event-log.ts';
import { ORIGIN } from '../../events/event.ts';
import type { EventId, NewEvent } from '../../events/event.ts';
import { encodeRecord } from '../../events/record.ts';
import type { FailureWords, RedisClient } from '../../redis/redis-client.ts';
import { RedisFollower } from './redis-follower.ts';
import type { RedisKeys } from '../../redis/redis-keys.ts';
import type { ScriptName } from '../../redis/redis-scripts.ts';
import { appendedOf, eventIdOf, pageOf } from './script-replies.ts';
import { Turns } from '../../redis/turns.ts';

export interface RedisEventLogOptions {
  readonly client: RedisClient;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
}

/** For reading the tail, which does not depend on the policy. */
const NOTHING_KEPT: HistoryPolicy = { size: 0, ttl: 0 };
/** The largest number of pages read at the same time. Each page can be as large as the largest event. */
const PAGES_AT_ONCE = 32;

const APPEND_WORDS: FailureWords = {
  nothingDone: 'Nothing was published.',
  next: 'Try again with the same Idempotency-Key.',
  unknown: 'The event may have been published. Try again with the same Idempotency-Key.',
};
const READ_WORDS: FailureWords = {
  nothingDone: 'Nothing was read.',
  next: 'Try again.',
  unknown: 'Try again.',
};

/** The log in Redis: a stream for each channel, and pub/sub for announcements. */
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
    this.#follower = new RedisFollower({ pubSub, keys, state: (channel) => this.state(channel) });
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    { policy: { size, ttl }, idempotencyKey }: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    const keys: [string, ...string[]] = [...this.#keys.channel(channel)];
    if (idempotencyKey !== undefined)
      keys.push(...this.#keys.idempotency(channel, idempotencyKey, events.length));
    const live = this.#keys.live(channel);
    const args = [size, ttl, ttl + TAIL_TTL_MS, this.#options.idempotencyTtl, live, this.#announce];
    return appendedOf(await this.#run('append', keys, [...args, ...events.map(encodeRecord)]));
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const args = [after, limit, PAGE_BYTES, policy.size, policy.ttl];
    const keys = this.#keys.channel(channel);
    return pageOf(await this.#pages.take(() => this.#run('read', keys, args)));
  }

  async checkKeys(): Promise<void> {
    await Promise.resolve();
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    const tail = await this.rewind(channel, 0, NOTHING_KEPT);
    return { tail, status: tail === ORIGIN ? 'empty' : 'open' };
  }

  async clear(): Promise<boolean> {
    return false;
  }

  async rewind(channel: ChannelName, count: number, { size, ttl }: HistoryPolicy): Promise<EventId> {
    return eventIdOf(await this.#run('rewind', this.#keys.channel(channel), [count, size, ttl]));
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    return this.#follower.follow(channel, listener);
  }

  async health(): Promise<LogHealth> {
    return this.#options.client.health;
  }

  /** Closes the client. The control bus and the counter use the same client and stop, too. */
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
