import type { ChannelName } from '../events/channel-name.ts';

/**
 * The names of the broker's keys and pub/sub channels in Redis. The braces put all keys of a channel into one hash slot, so
 * that one script can use them in a cluster. No channel name holds a brace.
 */
export class RedisKeys {
  readonly #prefix: string;
  /**
   * The suffix of pub/sub channels. Pub/sub ignores databases, so without it a message of one database would arrive in all.
   * Empty for database 0. No name of a channel or a replica holds an "@".
   */
  readonly #database: string;

  constructor(prefix: string, database = 0) {
    this.#prefix = prefix;
    this.#database = database === 0 ? '' : `@${database}`;
  }

  /** The channel's stream, its tail and the index of the stream (channel.lua), in the order of the scripts' KEYS. */
  channel(channel: ChannelName): readonly [log: string, tail: string, ids: string] {
    const name = `${this.#prefix}{${channel}}`;
    return [`${name}:log`, `${name}:tail`, `${name}:ids`];
  }

  /**
   * The channel's keys with those of its state: a hash of the newest event of each key, and the order of these events, in the
   * order of the scripts' KEYS.
   */
  channelWithState(
    channel: ChannelName,
  ): readonly [log: string, tail: string, ids: string, state: string, order: string] {
    const name = `${this.#prefix}{${channel}}`;
    return [...this.channel(channel), `${name}:state`, `${name}:order`];
  }

  /** A glob pattern for the tails of all channels whose names begin with `prefix`, which has no character of a pattern. */
  tails(prefix: string): string {
    return `${this.#prefix.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)}{${prefix}*}:tail`;
  }

  /** The channel in a key that {@link tails} matches. Check it: anybody can write such a key. */
  channelIn(tail: string): string {
    return tail.slice(this.#prefix.length + 1, tail.lastIndexOf('}'));
  }

  /** One key for each of `count` positions from `start` on; it remembers the idempotency key. No idempotency key holds a blank. */
  idempotency(channel: ChannelName, key: string, start: number, count: number): string[] {
    const first = `${this.#prefix}{${channel}}:idem:${key}`;
    return Array.from({ length: count }, (_, index) =>
      start + index === 0 ? first : `${first} ${start + index}`,
    );
  }

  /** The pub/sub channel on which the channel's events are announced. */
  live(channel: ChannelName): string {
    return `${this.#prefix}{${channel}}:live${this.#database}`;
  }

  /** The revocations in force. This key and the next two names share a hash slot. No channel is named `@control`. */
  revocations(): string {
    return `${this.#prefix}{@control}:revoked`;
  }

  /** The pub/sub channel on which every replica receives commands and other questions. */
  commands(): string {
    return `${this.#prefix}{@control}:commands${this.#database}`;
  }

  /** The pub/sub channel on which one replica receives the answers to its questions. */
  answers(replica: string): string {
    return `${this.#prefix}{@control}:answers:${replica}${this.#database}`;
  }

  /** The pub/sub channel on which one replica receives its own probe. The tag is random. */
  probe(tag: string): string {
    return `${this.#prefix}probe:${tag}${this.#database}`;
  }

  /** The keys that the probe writes: a stream, a list, a string, a hash and a sorted set, in the hash slot of the tag. */
  probed(tag: string): [stream: string, list: string, string: string, hash: string, sortedSet: string] {
    const name = `${this.#prefix}{@probe:${tag}}`;
    return [`${name}:log`, `${name}:list`, `${name}:idem`, `${name}:state`, `${name}:order`];
  }

  /** The counter of one name in its window. The key holds no brace, so it differs from every key of a channel. */
  rate(name: string): string {
    return `${this.#prefix}rate:${name}`;
  }
}
