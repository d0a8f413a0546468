import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import { HEALTHY, PAGE_BYTES, TAIL_TTL_MS, refuseTooMany } from '../event-log.ts';
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
import type { EventId, NewEvent, StoredEvent } from '../../events/event.ts';
import { recordHead } from '../../events/record.ts';
import { BlockStore, NONE } from './block-store.ts';
import { ChannelHistory } from './channel-history.ts';
import { ChannelRecords } from './channel-records.ts';
import { EventRecords } from './event-records.ts';
import type { EventHead } from './event-records.ts';
import { eventId, nextId } from './id-parts.ts';
import { RememberedKeys } from './remembered-keys.ts';

export interface MemoryEventLogOptions {
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** The memory of all channels together. When it is full, the oldest events are dropped. */
  readonly maxBytes: number;
  /** Returns epoch ms for ids. Only tests set it. */
  readonly wallClock?: () => number;
  /** Returns the ms of a monotonic clock, for ages. Only tests set it. */
  readonly steadyClock?: () => number;
}

/** The share of the memory that idempotency keys may take, and that idle channels may take. */
const SHARE = 1 / 4;
const SWEEP_MS = 10_000;
/** How long one slice of a sweep may hold the event loop, in ms. */
const SLICE_MS = 5;
/** How many events a channel drops at most for each appended event, after its size was lowered. */
const MAX_DROPPED = 64;
/** The number of blocks of a channel with one small event. */
const SMALL_CHANNEL = 2;
/** The largest number of blocks of a channel without its events. */
const CHANNEL = 3;

/** An event to append. */
interface Fresh {
  /** The event's place among those of the append. */
  readonly index: number;
  /** The part of the record before the data. */
  readonly head: string;
  readonly data: string;
  /** The size of the record in bytes. */
  readonly bytes: number;
  /** The name under which the event's id is remembered. */
  readonly key: string | undefined;
}

/**
 * The embedded log. It keeps all events in the memory of this process, up to a limit, until the process ends. It serves a
 * single replica.
 *
 * Ids come from the wall clock, because `?since=` means wall time. Ages go by a monotonic clock: when a wall clock is set
 * back, events would be kept longer, and when it is set forward, idempotency keys would be forgotten. The monotonic clock may
 * stop while the machine sleeps, and events are then kept for that much longer.
 */
export class MemoryEventLog implements EventLog {
  readonly #options: MemoryEventLogOptions;
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #blocks = new BlockStore();
  readonly #events = new EventRecords(this.#blocks);
  readonly #channels: ChannelRecords;
  /** The ids of appended events, by channel and idempotency key. */
  readonly #keys: RememberedKeys;
  readonly #listeners = new Map<ChannelName, Set<LogListener>>();
  readonly #sweep: NodeJS.Timeout;
  /** The memory of an empty log. */
  readonly #fixed: number;
  #closed = false;

  constructor(options: MemoryEventLogOptions) {
    const { maxBytes } = options;
    this.#options = options;
    this.#wall = options.wallClock ?? Date.now;
    this.#steady = options.steadyClock ?? (() => performance.now());
    this.#channels = new ChannelRecords(this.#blocks, this.#events, {
      expected: maxBytes / (SMALL_CHANNEL * this.#blocks.cost(1)),
      idleLimit: maxBytes * SHARE,
    });
    this.#keys = new RememberedKeys(this.#blocks, maxBytes * SHARE);
    this.#fixed = this.#keys.fixedBytes + this.#channels.fixedBytes;
    this.#sweep = setInterval(() => this.#expire(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** The memory of the log, in bytes, with its bookkeeping. Channels with listeners and without events do not count. */
  get bytes(): number {
    return this.#fixed + this.#blocks.bytes - this.#channels.listeningBytes;
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    { policy, idempotencyKey }: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    const now = this.#steady();
    const keys = idempotencyKey === undefined ? undefined : keysOf(channel, idempotencyKey, events.length);
    const known = keys?.map((key) => this.#keys.get(key, now - this.#options.idempotencyTtl));
    const results: Appended[] = [];
    const fresh: Fresh[] = [];
    // No iterator and no closure for each event: nearly all appends are of one event, and this is the path of each.
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as NewEvent;
      const { data } = event;
      const parts = known?.[index];
      if (parts !== undefined) {
        results[index] = { id: eventId(parts), replayed: true };
        continue;
      }
      const head = recordHead(event);
      const bytes = Buffer.byteLength(head) + Buffer.byteLength(data);
      fresh.push({ index, head, data, bytes, key: keys?.[index] });
    }
    if (fresh.length > 0) this.#appendFresh(channel, fresh, policy, now, results);
    return results;
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const history = this.#history(channel, policy);
    if (history === undefined) {
      const known = eventId(this.#channels.forgotten);
      return { events: [], tail: known, ended: false, complete: after === known, room: 0 };
    }
    const { events, tail, complete, left } = history.page(after, limit, PAGE_BYTES);
    return { events, tail, ended: false, complete, room: Math.max(0, policy.size - left) };
  }

  async checkKeys(): Promise<void> {
    await Promise.resolve();
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    const record = this.#channels.find(channel);
    const tail = eventId(record === NONE ? this.#channels.forgotten : this.#channels.tail(record));
    return { tail, status: tail === ORIGIN ? 'empty' : 'open' };
  }

  async clear(): Promise<boolean> {
    return false;
  }

  async rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId> {
    return this.#history(channel, policy)?.rewind(count) ?? eventId(this.#channels.forgotten);
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    const now = this.#steady();
    const record = this.#channels.open(channel, now);
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, (listeners = new Set()));
    listeners.add(listener);
    this.#channels.setListeners(record, listeners.size, now);
    queueMicrotask(() => {
      if (listeners.has(listener))
        listener.onFollowing({ tail: eventId(this.#channels.tail(record)), status: 'open' });
    });
    return () => {
      if (!listeners.delete(listener)) return;
      if (listeners.size === 0) this.#listeners.delete(channel);
      this.#channels.setListeners(record, listeners.size, this.#steady());
    };
  }

  async health(): Promise<LogHealth> {
    return HEALTHY;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
  }

  #history(channel: ChannelName, { size, ttl }: HistoryPolicy): ChannelHistory | undefined {
    const record = this.#channels.find(channel);
    if (record === NONE) return undefined;
    const cutoff = this.#steady() - ttl;
    return new ChannelHistory(this.#channels, this.#events, record, { size, cutoff });
  }

  /** Appends all events, puts their ids into `results` and calls the listeners; or throws and appends none. */
  #appendFresh(
    channel: ChannelName,
    fresh: readonly Fresh[],
    policy: HistoryPolicy,
    now: number,
    results: Appended[],
  ): void {
    this.#refuseTooLarge(fresh);
    let record = this.#channels.open(channel, now);
    this.#channels.setPolicy(record, policy);
    const listeners = this.#listeners.get(channel);
    const heard: StoredEvent[] = [];
    for (const event of fresh) {
      // A channel that keeps no events is idle after each event, and may be forgotten to make room.
      if (policy.size === 0) record = this.#channels.open(channel, now);
      const tail = this.#channels.tail(record);
      const parts = nextId(tail, this.#wall());
      const id = eventId(parts);
      results[event.index] = { id, replayed: false };
      const about = { channel: record, id: parts, at: now };
      if (listeners === undefined) {
        const added = this.#events.add(about, event.head, event.data, event.bytes);
        this.#channels.push(record, added, parts, now);
      } else {
        // RecentEvents may keep the record for long, so it must not be a slice of a shared buffer.
        const encoded = Buffer.allocUnsafeSlow(event.bytes);
        encoded.write(event.data, encoded.write(event.head));
        this.#channels.push(record, this.#events.addEncoded(about, encoded), parts, now);
        heard.push({ id, prev: eventId(tail), record: encoded });
      }
      this.#keep(about, event.key, policy.size);
    }
    if (listeners !== undefined) for (const listener of listeners) listener.onEvents(heard);
  }

  #refuseTooLarge(fresh: readonly Fresh[]): void {
    let needed = CHANNEL * this.#blocks.cost(1);
    for (const { bytes } of fresh) needed += this.#events.cost(bytes);
    if (this.#fixed + needed <= this.#options.maxBytes) return;
    throw new BrokerError(
      'log-full',
      'The publish is larger than the memory of the embedded log. Send less data, or raise SLUICE_MEMORY_BYTES.',
    );
  }

  /** After one appended event: remembers its key, and enforces the limit of the channel, then the limit of the whole log. */
  #keep(about: EventHead, key: string | undefined, size: number): void {
    if (key !== undefined) this.#keys.set(key, about.id, about.at);
    for (let i = 0; i < MAX_DROPPED && this.#channels.length(about.channel) > size; i++)
      this.#channels.dropOldest(about.channel, about.at);
    while (this.bytes > this.#options.maxBytes && this.#makeRoom(about.at));
  }

  /** Drops the oldest event. Forgets idle channels and keys, which have shares of their own, only when one event is left. */
  #makeRoom(now: number): boolean {
    const { oldest, newest } = this.#events;
    if (oldest === newest) return this.#channels.forgetIdle() || this.#keys.forgetOldest();
    this.#channels.dropOldest(this.#events.channel(oldest), now);
    return true;
  }

  /** Drops events that are too old. These can be a million events, so it works in slices. */
  #expire(): void {
    if (this.#closed) return;
    const { shortest, longest } = this.#channels.ttlRange;
    // When all channels have the same ttl, the oldest event of all expires first, and no channel needs a check of its own.
    this.#expireSlice({ channels: shortest < longest ? this.#channels.busyCount : 0 });
  }

  /** @param left counts the channels whose own oldest event this sweep has yet to check */
  #expireSlice(left: { channels: number }): void {
    if (this.#closed) return;
    const until = performance.now() + SLICE_MS;
    const now = this.#steady();
    for (let count = 1; this.#expireOne(left, now); count++) {
      if (count % 64 === 0 && performance.now() >= until) {
        setImmediate(() => this.#expireSlice(left));
        return;
      }
    }
  }

  #expireOne(left: { channels: number }, now: number): boolean {
    const channels = this.#channels;
    const { oldest } = this.#events;
    if (oldest !== NONE && channels.hasSurplus(this.#events.channel(oldest), now)) {
      channels.dropOldest(this.#events.channel(oldest), now);
      return true;
    }
    if (left.channels > 0) {
      const channel = channels.nextBusy();
      if (channel !== NONE && channels.hasSurplus(channel, now)) {
        channels.dropOldest(channel, now);
        return true;
      }
      if (channel !== NONE) channels.turnBusy();
      left.channels--;
      return true;
    }
    return (
      this.#keys.forgetOldest(now - this.#options.idempotencyTtl) || channels.forgetIdle(now - TAIL_TTL_MS)
    );
  }
}

/** The names under which the ids of an append's events are remembered. All names but the first end in the position. */
function keysOf(channel: ChannelName, key: string, count: number): string[] {
  const first = `${channel} ${key}`;
  return Array.from({ length: count }, (_, index) => (index === 0 ? first : `${first} ${index}`));
}
