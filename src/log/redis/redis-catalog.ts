import { parseChannelName } from '../../events/channel-name.ts';
import type { ChannelName } from '../../events/channel-name.ts';
import type { EventId } from '../../events/event.ts';
import type { FailureWords, RedisClient } from '../../redis/redis-client.ts';
import { badListCursor } from '../event-log.ts';
import type {
  ChannelAbout,
  ChannelListPage,
  ChannelListRequest,
  HistoryPolicy,
  LogCatalog,
} from '../event-log.ts';
import { aboutOf } from './script-replies.ts';

/** How long a page of a list asks Redis for more, in ms. */
const PAGE_MS = 50;
/** About how many keys one SCAN visits at the most. */
const MAX_SCANNED = 500;

/** How many positions one script looks up. In an index of a million events, this takes Redis up to 3 ms. */
const POSITIONS_AT_ONCE = 20;

const WORDS: FailureWords = { nothingDone: 'Nothing was read.', next: 'Try again.', unknown: 'Try again.' };

/** Answers questions about the channels of the log in Redis. */
export class RedisCatalog implements LogCatalog {
  readonly #client: RedisClient;

  constructor(client: RedisClient) {
    this.#client = client;
  }

  async about(channel: ChannelName, { size, ttl }: HistoryPolicy): Promise<ChannelAbout> {
    const { keys } = this.#client;
    return aboutOf(await this.#client.run('about', keys.channelWithState(channel), [size, ttl], WORDS));
  }

  async countAfter(
    channel: ChannelName,
    positions: readonly EventId[],
    { size, ttl }: HistoryPolicy,
  ): Promise<readonly number[]> {
    const keys = this.#client.keys.channel(channel);
    const counts: number[] = [];
    for (let at = 0; at < positions.length; at += POSITIONS_AT_ONCE) {
      const args = [size, ttl, ...positions.slice(at, at + POSITIONS_AT_ONCE)];
      counts.push(...((await this.#client.run('behind', keys, args, WORDS)) as number[]));
    }
    return counts;
  }

  /** Redis keeps no list of channels, so this visits all keys with SCAN, some at a time. Each channel has a tail. */
  async list({ prefix, cursor = '0', limit }: ChannelListRequest): Promise<ChannelListPage> {
    const pattern = this.#client.keys.tails(prefix);
    const until = performance.now() + PAGE_MS;
    const found = new Set<ChannelName>();
    let next = cursor;
    let count = limit;
    do {
      let keys: string[];
      [next, keys] = await this.#scan(next, pattern, Math.min(count, MAX_SCANNED));
      for (const key of keys) {
        const name = channelName(this.#client.keys.channelIn(key));
        if (name !== undefined) found.add(name);
      }
      // Every key may be a channel's tail. Few are when the last keys had none.
      count = keys.length === 0 ? count * 2 : limit - found.size;
    } while (next !== '0' && found.size < limit && performance.now() < until);
    return { channels: [...found], next: next === '0' ? undefined : next };
  }

  async #scan(cursor: string, pattern: string, count: number): Promise<[string, string[]]> {
    try {
      return await this.#client.scan(cursor, pattern, count, WORDS);
    } catch (error) {
      throw error instanceof RangeError ? badListCursor() : error;
    }
  }
}

function channelName(text: string): ChannelName | undefined {
  try {
    return parseChannelName(text);
  } catch {
    return undefined;
  }
}
