import type { ChannelName } from '../../core/channel-name.ts';

/**
 * The names this broker uses in Redis. The braces keep all that belongs to a channel in one hash slot, so that one
 * script may touch it in a cluster; no channel name has a brace of its own.
 */
export class RedisKeys {
  readonly #prefix: string;
  /**
   * Ends the names of pub/sub channels, which know no databases: whatever is announced in one of them is heard in all.
   * Database 0 has none. No channel and no replica has an "@" in its name.
   */
  readonly #database: string;

  constructor(prefix: string, database = 0) {
    this.#prefix = prefix;
    this.#database = database === 0 ? '' : `@${database}`;
  }

  /** What channel.lua tells of: the channel's stream, its tail and the index of the stream, as all scripts take them. */
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

  /** The revocations in force. This and the next two share a hash slot, whose tag is no channel's name. */
  revocations(): string {
    return `${this.#prefix}{@control}:revoked`;
  }

  /** The pub/sub channel on which every replica hears what it is to do. */
  commands(): string {
    return `${this.#prefix}{@control}:commands${this.#database}`;
  }

  /** The pub/sub channel on which one replica gets the answers to what it has asked. */
  answers(replica: string): string {
    return `${this.#prefix}{@control}:answers:${replica}${this.#database}`;
  }

  /** The pub/sub channel on which one replica listens for itself; the tag is one that it has made up. */
  probe(tag: string): string {
    return `${this.#prefix}probe:${tag}${this.#database}`;
  }

  /** What an append is tried out on: a stream, a list and a string, in the hash slot that the tag decides. */
  probed(tag: string): [stream: string, list: string, string: string] {
    const name = `${this.#prefix}{@probe:${tag}}`;
    return [`${name}:log`, `${name}:list`, `${name}:idem`];
  }

  /** How often somebody has done something in a window; the name has no brace, and so meets no channel's. */
  rate(name: string): string {
    return `${this.#prefix}rate:${name}`;
  }
}
