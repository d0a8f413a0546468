import { Buffer } from 'node:buffer';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { BrokerError } from '../../src/events/errors.ts';
import type { EventId, NewEvent, StoredEvent } from '../../src/events/event.ts';
import { clearedEvent, deletesKey, encodeRecord } from '../../src/events/record.ts';
import { channelEnded, keyReused, tailMismatch } from '../../src/log/append-refusals.ts';
import type { Storage, WriteOutcome, WriteRequest } from '../../src/log/disk/storage.ts';
import { HEALTHY, refuseTooMany } from '../../src/log/event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  LatestCursor,
  LatestLimits,
  LogCatalog,
  LogListener,
} from '../../src/log/event-log.ts';
import type { HistoryPolicy } from '../../src/log/event-log.ts';
import { keyedPositions } from '../../src/log/keyed-positions.ts';

/** A log over the storage in this thread, without syncs: each call is a commit. */
export class StoreEventLog implements EventLog {
  readonly catalog: LogCatalog;
  readonly #storage: Storage;
  readonly #onKeysDropped: (keys: number) => void;
  readonly #listeners = new Map<ChannelName, Set<LogListener>>();

  constructor(storage: Storage, onKeysDropped: (keys: number) => void = () => undefined) {
    this.#storage = storage;
    this.#onKeysDropped = onKeysDropped;
    this.catalog = {
      about: async (channel, policy) => storage.about(channel, policy),
      countAfter: async (channel, positions, policy) => storage.countAfter(channel, positions, policy),
      list: async (request) => storage.list(request),
    };
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    const { policy, ifLast, end = false } = options;
    const records = events.map((event) => Buffer.from(encodeRecord(event)));
    const outcome = this.#commit({
      kind: 'append',
      channel,
      records,
      keys: events.map(({ key }) => key),
      deletes: events.map((event) => event.key !== undefined && deletesKey(event)),
      policy,
      positions: keyedPositions(channel, events, options),
      ifLast,
      end,
    });
    if (outcome.kind !== 'appended') throw new Error(`unexpected outcome: ${outcome.kind}`);
    if (outcome.keysDropped > 0) this.#onKeysDropped(outcome.keysDropped);
    let { prev } = outcome;
    const heard: StoredEvent[] = [];
    for (const [index, { id, replayed }] of outcome.results.entries()) {
      const record = records[index];
      if (replayed || record === undefined) continue;
      heard.push({ id, prev, record });
      prev = id;
    }
    this.#announce(channel, heard);
    if (outcome.ended) for (const listener of this.#listeners.get(channel) ?? []) listener.onEnded(prev);
    return outcome.results;
  }

  async clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean> {
    const record = Buffer.from(encodeRecord(clearedEvent(channel)));
    const outcome = this.#commit({ kind: 'clear', channel, policy, record });
    if (outcome.kind !== 'cleared') throw new Error(`unexpected outcome: ${outcome.kind}`);
    if (outcome.event === undefined) return false;
    this.#announce(channel, [{ ...outcome.event, record }]);
    return true;
  }

  async checkKeys(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): Promise<void> {
    if (!this.#storage.checkKeys(keyedPositions(channel, events, options) ?? [])) throw keyReused();
  }

  read = async (...args: Parameters<Storage['read']>): ReturnType<EventLog['read']> =>
    this.#storage.read(...args);

  state = async (channel: ChannelName): ReturnType<EventLog['state']> => this.#storage.state(channel);

  rewind = async (...args: Parameters<Storage['rewind']>): Promise<EventId> => this.#storage.rewind(...args);

  readLatest = async (
    channel: ChannelName,
    after: LatestCursor | undefined,
    limits: LatestLimits,
  ): ReturnType<EventLog['readLatest']> => this.#storage.readLatest(channel, after, limits);

  follow(channel: ChannelName, listener: LogListener): () => void {
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    this.#storage.follow(channel, true);
    queueMicrotask(() => {
      if (listeners.has(listener)) listener.onFollowing(this.#storage.state(channel));
    });
    return () => {
      if (listeners.delete(listener) && listeners.size === 0) this.#storage.follow(channel, false);
    };
  }

  health = async (): ReturnType<EventLog['health']> => HEALTHY;

  async close(): Promise<void> {
    this.#storage.close();
  }

  #commit(request: WriteRequest): WriteOutcome {
    const [outcome] = this.#storage.commit([request]) as [WriteOutcome];
    if (outcome.kind !== 'refused') return outcome;
    switch (outcome.reason) {
      case 'channel-ended':
        throw channelEnded();
      case 'tail-mismatch':
        throw tailMismatch(outcome.tail as EventId);
      case 'idempotency-key-reused':
        throw keyReused();
      case 'log-full':
        throw new BrokerError('log-full', 'full');
    }
  }

  #announce(channel: ChannelName, events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    for (const listener of this.#listeners.get(channel) ?? []) listener.onEvents(events);
  }
}
