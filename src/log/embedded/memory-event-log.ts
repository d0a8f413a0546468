import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import { HEALTHY, PAGE_BYTES, refuseTooMany } from '../event-log.ts';
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
import type { EventId, NewEvent, StoredEvent } from '../../events/event.ts';
import { clearedEvent, recordHead } from '../../events/record.ts';
import { channelEnded, tailMismatch } from '../append-refusals.ts';
import { BackgroundSweep } from './background-sweep.ts';
import { BlockStore, NONE } from './block-store.ts';
import { ChannelRecords } from './channel-records.ts';
import { EventRecords } from './event-records.ts';
import type { EventHead, NewRecord } from './event-records.ts';
import { eventId, nextId } from './id-parts.ts';
import { MemoryCatalog } from './memory-catalog.ts';
import { RememberedKeys, keyedPositions } from './remembered-keys.ts';
import type { KeyedPosition } from './remembered-keys.ts';
import type { TailMark } from './status-word.ts';

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
/** How many events a channel drops at most for each appended event, after its size was lowered. */
const MAX_DROPPED = 64;
/** The number of blocks of a channel with one small event. */
const SMALL_CHANNEL = 2;
/** The largest number of blocks of a channel without its events. */
const CHANNEL = 3;

/** An event to append. */
interface Fresh extends NewRecord {
  /** The event's place among those of the append. */
  readonly index: number;
  readonly key: KeyedPosition | undefined;
}

/** What an append that is not refused does. */
interface AppendStep {
  readonly channel: ChannelName;
  /** The record of the channel, or NONE. */
  readonly record: number;
  readonly fresh: readonly Fresh[];
  readonly policy: HistoryPolicy;
  readonly now: number;
  /** The mark of the tail after the step. */
  readonly mark: TailMark;
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
  readonly catalog: MemoryCatalog;
  readonly #options: MemoryEventLogOptions;
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #blocks = new BlockStore();
  readonly #events = new EventRecords(this.#blocks);
  readonly #channels: ChannelRecords;
  /** The ids of appended events, by channel and idempotency key. */
  readonly #keys: RememberedKeys;
  readonly #listeners = new Map<ChannelName, Set<LogListener>>();
  readonly #sweep: BackgroundSweep;
  /** The memory of an empty log. */
  readonly #fixed: number;

  constructor(options: MemoryEventLogOptions) {
    const { maxBytes } = options;
    this.#options = options;
    this.#wall = options.wallClock ?? Date.now;
    this.#steady = options.steadyClock ?? (() => performance.now());
    this.#channels = new ChannelRecords(this.#blocks, this.#events, {
      expected: maxBytes / (SMALL_CHANNEL * this.#blocks.cost(1)),
      idleLimit: maxBytes * SHARE,
    });
    const all = { channels: this.#channels, events: this.#events, steadyClock: this.#steady };
    this.catalog = new MemoryCatalog(all);
    this.#keys = new RememberedKeys(this.#blocks, { limit: maxBytes * SHARE, ttl: options.idempotencyTtl });
    this.#fixed = this.#keys.fixedBytes + this.#channels.fixedBytes;
    this.#sweep = new BackgroundSweep({ ...all, keys: this.#keys });
  }

  /** The memory of the log, in bytes, with its bookkeeping. Channels with listeners and without events do not count. */
  get bytes(): number {
    return this.#fixed + this.#blocks.bytes - this.#channels.listeningBytes;
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): Promise<readonly Appended[]> {
    refuseTooMany(events);
    const { policy, ifLast, end = false } = options;
    const now = this.#steady();
    const keys = keyedPositions(channel, events, options);
    const results: Appended[] = [];
    const fresh: Fresh[] = [];
    const count = Math.max(events.length, end ? 1 : 0);
    // No iterator and no closure for each event: nearly all appends are of one event, and this is the path of each.
    for (let index = 0; index < count; index++) {
      const key = keys?.[index];
      const known = key === undefined ? undefined : this.#keys.recall(key, now);
      const event = events[index];
      if (known !== undefined) results[index] = { id: eventId(known), replayed: true };
      else if (event !== undefined) fresh.push(freshEvent(event, index, key));
    }
    const ends = end && results[count - 1] === undefined;
    if (fresh.length === 0 && !ends) return results;
    this.#refuseTooLarge(fresh);
    const record = this.#channels.find(channel);
    this.#refuseUnmet(record, ifLast);
    if (fresh.length === 0) return [this.#end(channel, policy, keys?.[0], now)];
    this.#appendFresh({ channel, record, fresh, policy, now, mark: ends ? 'ended' : 'open' }, results);
    return results;
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const history = this.catalog.history(channel, policy);
    if (history === undefined) {
      const known = eventId(this.#channels.forgotten);
      return { events: [], tail: known, ended: false, complete: after === known, room: 0 };
    }
    const { left, ...page } = history.page(after, limit, PAGE_BYTES);
    return { ...page, room: Math.max(0, policy.size - left) };
  }

  async checkKeys(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): Promise<void> {
    const now = this.#steady();
    for (const key of keyedPositions(channel, events, options) ?? []) this.#keys.recall(key, now);
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    return this.#channels.state(this.#channels.find(channel));
  }

  async clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean> {
    const record = this.#channels.find(channel);
    if (this.#channels.state(record).status === 'empty') return false;
    const now = this.#steady();
    this.#channels.clear(record);
    this.#channels.setPolicy(record, policy);
    const fresh = [freshEvent(clearedEvent(channel), 0, undefined)];
    this.#sweep.dropCleared(channel);
    this.#appendFresh({ channel, record, fresh, policy, now, mark: 'cleared' }, []);
    return true;
  }

  async rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId> {
    return this.catalog.history(channel, policy)?.rewind(count) ?? eventId(this.#channels.forgotten);
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    const now = this.#steady();
    const record = this.#channels.open(channel, now);
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, (listeners = new Set()));
    listeners.add(listener);
    this.#channels.setListeners(record, listeners.size, now);
    queueMicrotask(() => {
      if (listeners.has(listener)) listener.onFollowing(this.#channels.state(record));
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
    this.#sweep.close();
  }

  /** Checks that the channel takes events, and that `ifLast` is its tail. */
  #refuseUnmet(record: number, ifLast: EventId | undefined): void {
    if (record !== NONE && this.#channels.status.mark(record) === 'ended') throw channelEnded();
    if (ifLast === undefined) return;
    const { tail } = this.#channels.state(record);
    if (ifLast !== tail) throw tailMismatch(tail);
  }

  /** Ends the channel without an event. */
  #end(channel: ChannelName, policy: HistoryPolicy, key: KeyedPosition | undefined, now: number): Appended {
    const record = this.#channels.open(channel, now);
    this.#channels.setPolicy(record, policy);
    this.#channels.end(record, now);
    const tail = this.#channels.tail(record);
    if (key !== undefined) this.#keys.set(key, tail, now);
    this.#limitMemory(now);
    const id = eventId(tail);
    for (const listener of this.#listeners.get(channel) ?? []) listener.onEnded(id);
    return { id, replayed: false };
  }

  /** Appends all events, puts their ids into `results` and calls the listeners. */
  #appendFresh(step: AppendStep, results: Appended[]): void {
    const { channel, fresh, policy, now, mark } = step;
    let record = step.record === NONE ? this.#channels.open(channel, now) : step.record;
    this.#channels.setPolicy(record, policy);
    const listeners = this.#listeners.get(channel);
    const heard: StoredEvent[] = [];
    const last = fresh.at(-1);
    for (const event of fresh) {
      // A channel that keeps no events is idle after each event, and may be forgotten to make room.
      if (policy.size === 0) record = this.#channels.open(channel, now);
      const tail = this.#channels.tail(record);
      const parts = nextId(tail, this.#wall());
      const id = eventId(parts);
      results[event.index] = { id, replayed: false };
      const about = { channel: record, id: parts, at: now };
      const ownMark = event === last ? mark : 'open';
      if (listeners === undefined) {
        this.#channels.push(about, this.#events.add(about, event), ownMark);
      } else {
        // RecentEvents may keep the record for long, so it must not be a slice of a shared buffer.
        const encoded = Buffer.allocUnsafeSlow(event.bytes);
        encoded.write(event.data, encoded.write(event.head));
        this.#channels.push(about, this.#events.addEncoded(about, encoded), ownMark);
        heard.push({ id, prev: eventId(tail), record: encoded });
      }
      this.#keep(about, event.key, policy.size);
    }
    for (const listener of listeners ?? []) listener.onEvents(heard);
    const end = mark === 'ended' ? heard.at(-1)?.id : undefined;
    if (end !== undefined) for (const listener of listeners ?? []) listener.onEnded(end);
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
  #keep(about: EventHead, key: KeyedPosition | undefined, size: number): void {
    if (key !== undefined) this.#keys.set(key, about.id, about.at);
    for (let i = 0; i < MAX_DROPPED && this.#channels.length(about.channel) > size; i++)
      this.#channels.dropOldest(about.channel, about.at);
    this.#limitMemory(about.at);
  }

  #limitMemory(now: number): void {
    while (this.bytes > this.#options.maxBytes && this.#makeRoom(now));
  }

  /** Drops a cleared event, or the oldest one. Forgets idle channels and keys, which have their own shares, when one is left. */
  #makeRoom(now: number): boolean {
    if (this.#sweep.dropOneCleared(now)) return true;
    const { oldest, newest } = this.#events;
    if (oldest === newest) return this.#channels.forgetIdle() || this.#keys.forgetOldest();
    this.#channels.dropOldest(this.#events.channel(oldest), now);
    return true;
  }
}

function freshEvent(event: NewEvent, index: number, key: KeyedPosition | undefined): Fresh {
  const { data } = event;
  const head = recordHead(event);
  return { index, head, data, bytes: Buffer.byteLength(head) + Buffer.byteLength(data), key };
}
