import { hash } from 'node:crypto';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { EventId, NewEvent, StoredEvent } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import type { EventLog, LatestCursor } from '../../src/log/event-log.ts';

interface KeyedEvent {
  readonly channel: ChannelName;
  readonly key: string;
  readonly id: EventId;
  readonly record: string;
}

/** The newest event of each key of some channels, in the order of their changes. */
export class StateModel {
  #events: KeyedEvent[] = [];

  /** Does what the event does to the state of its channel. */
  apply(channel: ChannelName, id: EventId, event: NewEvent): void {
    const { key, type } = event;
    if (key === undefined) return;
    this.#drop((one) => one.channel === channel && one.key === key);
    if (type !== 'sluice:deleted') this.#events.push({ channel, key, id, record: encodeRecord(event) });
  }

  clear(channel: ChannelName): void {
    this.#drop((one) => one.channel === channel);
  }

  count(channel: ChannelName): number {
    return this.#of(channel).length;
  }

  /** Drops the channel's oldest keys until it has `keys` keys, but at most `most`. Returns how many were dropped. */
  trim(channel: ChannelName, keys: number, most = Infinity): number {
    const dropped = this.#of(channel).slice(0, Math.min(Math.max(0, this.count(channel) - keys), most));
    this.#drop((one) => dropped.includes(one));
    return dropped.length;
  }

  dropNewest(): void {
    this.#events.pop();
  }

  /** How many of the oldest `count` keys of all channels are the channel's. */
  countOldest(count: number, channel: ChannelName): number {
    return this.#events.slice(0, count).filter((one) => one.channel === channel).length;
  }

  /** Drops the oldest keys of all channels. */
  dropOldest(count: number): void {
    this.#events = this.#events.slice(count);
  }

  /** The ids and digests of the channel's state, in the log and here. Reads pages of up to `limit` events. */
  async compared(
    log: EventLog,
    channel: ChannelName,
    limit: number,
  ): Promise<{ readonly found: readonly string[]; readonly expected: readonly string[] }> {
    const found: StoredEvent[] = [];
    let next: LatestCursor | undefined;
    do {
      const page = await log.readLatest(channel, next, { limit, maxBytes: 16 * 1024 });
      found.push(...page.events);
      ({ next } = page);
    } while (next !== undefined);
    return {
      found: found.map(({ id, record }) => `${id} ${hash('sha1', record)}`),
      expected: this.#of(channel).map(({ id, record }) => `${id} ${hash('sha1', record)}`),
    };
  }

  #of(channel: ChannelName): KeyedEvent[] {
    return this.#events.filter((one) => one.channel === channel);
  }

  #drop(isDropped: (event: KeyedEvent) => boolean): void {
    this.#events = this.#events.filter((one) => !isDropped(one));
  }
}
