import type { ChannelName } from '../events/channel-name.ts';

/**
 * The names this broker uses in Redis. The braces keep all that belongs to a channel in one hash slot, so that one
 * script may touch it in a cluster; no channel name has a brace of its own.
 */
export class RedisKeys {
  readonly #prefix: string;
  /**
   * Ends the names of pub/sub channels, because pub/sub ignores databases: a message of one database is heard in all. Empty for
   * database 0. No channel and no replica has an "@" in its name.
   */
  readonly #database: string;

  constructor(prefix: string, database = 0) {
    this.#prefix = prefix;
    this.#database = database === 0 ? '' : `@${database}`;
  }

  /** The channel's stream, its tail and the index of the stream (channel.lua), in the order in which scripts take them. */
  channel(channel: ChannelName): readonly [log: string, tail: string, ids: string] {
    const name = `${this.#prefix}{${channel}}`;
    return [`${name}:log`, `${name}:tail`, `${name}:ids`];
  }

  /** Where the idempotency key is remembered for each event of an append. No key has a blank. */
  idempotency(channel: ChannelName, key: string, events: number): string[] {
    const first = `${this.#prefix}{${channel}}:idem:${key}`;
    return Array.from({ length: events }, (_, index) => (index === 0 ? first : `${first} ${index}`));
  }

  /** The pub/sub channel on which the channel's events are announced. */
  live(channel: ChannelName): string {
    return `${this.#prefix}{${channel}}:live${this.#database}`;
  }

  /** The revocations in force. This key and the next two names share a hash slot; no channel has the name of its tag. */
  revocations(): string {
    return `${this.#prefix}{@control}:revoked`;
  }

  /** The pub/sub channel on which every replica hears commands and other questions. */
  commands(): string {
    return `${this.#prefix}{@control}:commands${this.#database}`;
  }

  /** The pub/sub channel on which one replica gets the answers to its questions. */
  answers(replica: string): string {
    return `${this.#prefix}{@control}:answers:${replica}${this.#database}`;
  }

  /** The pub/sub channel on which one replica hears its own probe. The tag is random. */
  probe(tag: string): string {
    return `${this.#prefix}probe:${tag}${this.#database}`;
  }

  /** What the probe writes to: a stream, a list and a string, in the hash slot of the tag. */
  probed(tag: string): [stream: string, list: string, string: string] {
    const name = `${this.#prefix}{@probe:${tag}}`;
    return [`${name}:log`, `${name}:list`, `${name}:idem`];
  }

  /** The counter of one name in its window. The key has no brace, and so differs from all keys of channels. */
  rate(name: string): string {
    return `${this.#prefix}rate:${name}`;
  }
}
