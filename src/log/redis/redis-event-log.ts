import type { ChannelName } from '../../events/channel-name.ts';
import { DEFAULT_KEYS } from '../../events/channel-policies.ts';
import { digestsOf } from '../append-digests.ts';
import { keyReused } from '../append-refusals.ts';
import { PAGE_BYTES, TAIL_TTL_MS, refuseTooMany } from '../event-log.ts';
import type {
  AppendOptions,
  Appended,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LatestCursor,
  LatestLimits,
  LatestPage,
  LogHealth,
  LogListener,
  LogPage,
} from '../event-log.ts';
import type { EventId, NewEvent } from '../../events/event.ts';
import { clearedEvent, encodeRecord } from '../../events/record.ts';
import { APPEND_WORDS, CHECK_WORDS, CLEAR_WORDS, READ_WORDS } from '../failure-words.ts';
import type { FailureWords, RedisClient } from '../../redis/redis-client.ts';
import { RedisCatalog } from './redis-catalog.ts';
import { RedisFollower } from './redis-follower.ts';
import type { RedisKeys } from '../../redis/redis-keys.ts';
import type { ScriptName } from '../../redis/script-methods.ts';
import { AppendHeads } from './append-heads.ts';
import { appendedOf, eventIdOf, latestPageOf, pageOf, stateOf } from './script-replies.ts';
import { Turns } from '../../redis/turns.ts';

export interface RedisEventLogOptions {
  readonly client: RedisClient;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** Called when the newest events of that many keys are dropped, because a channel has too many keys. */
  readonly onKeysDropped?: ((keys: number) => void) | undefined;
}

/** The largest number of pages read at the same time. Each page can be as large as the largest event. */
const PAGES_AT_ONCE = 32;
/** The largest number of channels whose tails are read at the same time to follow them. Thousands may begin at once. */
const TAILS_AT_ONCE = 128;

/** The log in Redis: a stream for each channel, and pub/sub for announcements. */
export class RedisEventLog implements EventLog {
  readonly catalog: RedisCatalog;
  readonly isOutside = true;
  readonly #options: RedisEventLogOptions;
  readonly #keys: RedisKeys;
  readonly #pages = new Turns(PAGES_AT_ONCE);
  readonly #tails = new Turns(TAILS_AT_ONCE);
  readonly #follower: RedisFollower;
  readonly #announce: 'PUBLISH' | 'SPUBLISH';
  readonly #heads: AppendHeads;

  constructor(options: RedisEventLogOptions) {
    this.#options = options;
    const { keys, pubSub, publish } = options.client;
    this.#keys = keys;
    this.catalog = new RedisCatalog(options.client);
    this.#announce = publish;
    this.#heads = new AppendHeads(options.client, options.idempotencyTtl);
    const state = (channel: ChannelName): Promise<ChannelState> =>
      this.#tails.take(() => this.state(channel));
    this.#follower = new RedisFollower({ pubSub, keys, state });
  }

  append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]> {
    const [first] = events;
    if (first !== undefined && events.length === 1 && isPlain(options)) {
      const { policy } = options;
      const record = encodeRecord(first);
      const rest = first.key === undefined ? [record] : [record, policy.keys ?? DEFAULT_KEYS];
      return this.#options.client.append(this.#heads.of(channel, policy), rest, APPEND_WORDS, this.#appended);
    }
    return this.#appendWith(channel, events, options);
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const args = [after, limit, PAGE_BYTES, policy.size, policy.ttl];
    const keys = this.#keys.channel(channel);
    return pageOf(await this.#pages.take(() => this.#run('read', keys, args, READ_WORDS)));
  }

  async checkKeys(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): Promise<void> {
    const { keys, digests } = this.#positions(channel, events.map(encodeRecord), options);
    const [first, ...rest] = keys;
    if (first === undefined) return;
    if ((await this.#run('check', [first, ...rest], digests, CHECK_WORDS)) !== 1) throw keyReused();
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    return stateOf(await this.#run('state', this.#keys.channel(channel), [], READ_WORDS));
  }

  async clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean> {
    const record = encodeRecord(clearedEvent(channel));
    const args = [...this.#keeping(policy), ...this.#announcing(channel), record];
    return (await this.#run('clear', this.#keys.channelWithState(channel), args, CLEAR_WORDS)) === 1;
  }

  async rewind(channel: ChannelName, count: number, { size, ttl }: HistoryPolicy): Promise<EventId> {
    const args = [count, size, ttl];
    return eventIdOf(await this.#run('rewind', this.#keys.channel(channel), args, READ_WORDS));
  }

  async readLatest(
    channel: ChannelName,
    after: LatestCursor | undefined,
    { limit, maxBytes }: LatestLimits,
  ): Promise<LatestPage> {
    const args = [after?.place ?? '', limit, maxBytes];
    const keys = this.#keys.channelWithState(channel);
    const reply = await this.#pages.take(() => this.#run('latest', keys, args, READ_WORDS));
    return latestPageOf(reply, after?.upTo);
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

  async #appendWith(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    const { policy, ifLast = '', end = false } = options;
    if (events.length === 0 && !end) return [];
    const records = events.map(encodeRecord);
    const { keys, digests } = this.#positions(channel, records, options);
    const head = this.#heads.make(channel, policy, { keys, ifLast, end, count: records.length });
    const maxKeys = events.some(({ key }) => key !== undefined) ? [policy.keys ?? DEFAULT_KEYS] : [];
    const rest = [...records, ...digests, ...maxKeys];
    return await this.#options.client.append(head, rest, APPEND_WORDS, this.#appended);
  }

  readonly #appended = (reply: unknown): readonly Appended[] => {
    const { appended, dropped } = appendedOf(reply);
    if (dropped > 0) this.#options.onKeysDropped?.(dropped);
    return appended;
  };

  /** The keys and the digests of the positions of an append; none without an idempotency key. */
  #positions(
    channel: ChannelName,
    records: readonly string[],
    { idempotencyKey, firstPosition = 0, end = false }: AppendOptions,
  ): { readonly keys: readonly string[]; readonly digests: readonly string[] } {
    if (idempotencyKey === undefined) return { keys: [], digests: [] };
    const digests = digestsOf(records, end);
    return { keys: this.#keys.idempotency(channel, idempotencyKey, firstPosition, digests.length), digests };
  }

  /** Arguments of a script: how long to keep an event, and how long the tail outlives it. */
  #keeping({ ttl }: HistoryPolicy): [number, number] {
    return [ttl, ttl + TAIL_TTL_MS];
  }

  /** Arguments of a script: the pub/sub channel, and the command that publishes to it. */
  #announcing(channel: ChannelName): [string, string] {
    return [this.#keys.live(channel), this.#announce];
  }

  #run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
    words: FailureWords,
  ): Promise<unknown> {
    return this.#options.client.run(script, keys, args, words);
  }
}

/** Whether an append has nothing but its events. */
function isPlain({ idempotencyKey, ifLast, end = false }: AppendOptions): boolean {
  return idempotencyKey === undefined && ifLast === undefined && !end;
}
