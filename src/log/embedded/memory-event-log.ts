import type { ChannelName } from '../../events/channel-name.ts';
import { BrokerError } from '../../events/errors.ts';
import { HEALTHY, PAGE_BYTES, TAIL_TTL_MS } from '../event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  HistoryPolicy,
  LogHealth,
  LogListener,
  LogPage,
} from '../event-log.ts';
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
  /** Bound over all channels; the oldest events go first. */
  readonly maxBytes: number;
  /** Epoch ms, of which ids are made; for tests. */
  readonly wallClock?: () => number;
  /** A clock that never goes back and is never put right, in ms, by which things age; for tests. */
  readonly steadyClock?: () => number;
}

/** Of the whole: what idempotency keys may take, and what the tails of channels without events may take. */
const SHARE = 1 / 4;
const SWEEP_MS = 10_000;
/** How long a sweep may hold the event loop before it lets others have their turn. */
const SLICE_MS = 5;
/** Events that a channel drops at the most for one that it gets, when its size was lowered. */
const MAX_DROPPED = 64;
/** Blocks that a channel with one small event takes. */
const SMALL_CHANNEL = 2;
/** Blocks that a channel takes besides its events, at the most. */
const CHANNEL = 3;

/** An event that is to be appended. */
interface Fresh {
  /** What its record begins with. */
  readonly head: string;
  readonly data: string;
  /** Bytes of its record. */
  readonly bytes: number;
  /** The name under which its id is to be remembered. */
  readonly key: string | undefined;
}

/**
 * The embedded log: everything in this process, bounded, gone with it. Serves one broker on its own.
 *
 * Ids are made of the wall clock, because `?since=` asks by it. Ages go by a clock that nobody puts right: a wall clock
 * that ran ahead would keep everything that much longer, and one that is put forward would forget idempotency keys. The
 * steady clock may stand still while the machine sleeps; what is kept is kept for so much longer then.
 */
export class MemoryEventLog implements EventLog {
  readonly #options: MemoryEventLogOptions;
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #blocks = new BlockStore();
  readonly #events = new EventRecords(this.#blocks);
  readonly #channels: ChannelRecords;
  /** By channel and key. */
  readonly #keys: RememberedKeys;
  readonly #listeners = new Map<ChannelName, Set<LogListener>>();
  readonly #sweep: NodeJS.Timeout;
  /** What an empty log takes. */
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

  /** What the log holds, in bytes, its own bookkeeping included. What is known only for listeners is theirs. */
  get bytes(): number {
    return this.#fixed + this.#blocks.bytes - this.#channels.listeningBytes;
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    { policy, idempotencyKey }: AppendOptions,
  ): Promise<readonly Appended[]> {
    const now = this.#steady();
    const keys = idempotencyKey === undefined ? undefined : keysOf(channel, idempotencyKey, events.length);
    const known = keys?.map((key) => this.#keys.get(key, now - this.#options.idempotencyTtl));
    const fresh: Fresh[] = [];
    for (const [index, event] of events.entries()) {
      if (known?.[index] !== undefined) continue;
      const head = recordHead(event);
      const bytes = Buffer.byteLength(head) + Buffer.byteLength(event.data);
      fresh.push({ head, data: event.data, bytes, key: keys?.[index] });
    }
    const ids = fresh.length === 0 ? [] : this.#appendFresh(channel, fresh, policy, now);
    let next = 0;
    return events.map((_, index) => {
      const parts = known?.[index];
      if (parts !== undefined) return { id: eventId(parts), replayed: true };
      return { id: ids[next++] as EventId, replayed: false };
    });
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const history = this.#history(channel, policy);
    if (history === undefined) {
      const known = eventId(this.#channels.forgotten);
      return { events: [], tail: known, complete: after === known, room: 0 };
    }
    const { events, tail, complete, left } = history.page(after, limit, PAGE_BYTES);
    return { events, tail, complete, room: Math.max(0, policy.size - left) };
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
      if (listeners.has(listener)) listener.onFollowing(eventId(this.#channels.tail(record)));
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

  /** Appends all of them, or throws and appends none; then tells who listens. Gives their ids. */
  #appendFresh(
    channel: ChannelName,
    fresh: readonly Fresh[],
    policy: HistoryPolicy,
    now: number,
  ): readonly EventId[] {
    this.#refuseTooLarge(fresh);
    const record = this.#channels.open(channel, now);
    this.#channels.setPolicy(record, policy);
    const listeners = this.#listeners.get(channel);
    const ids: EventId[] = [];
    const heard: StoredEvent[] = [];
    for (const event of fresh) {
      const tail = this.#channels.tail(record);
      const parts = nextId(tail, this.#wall());
      const id = eventId(parts);
      ids.push(id);
      const about = { channel: record, id: parts, at: now };
      if (listeners === undefined) {
        const added = this.#events.add(about, event.head, event.data, event.bytes);
        this.#channels.push(record, added, parts, now);
      } else {
        // The record may stay in recent memory for long, so it must not be a slice of a shared buffer.
        const encoded = Buffer.allocUnsafeSlow(event.bytes);
        encoded.write(event.data, encoded.write(event.head));
        this.#channels.push(record, this.#events.addEncoded(about, encoded), parts, now);
        heard.push({ id, prev: eventId(tail), record: encoded });
      }
      this.#keep(about, event.key, policy.size);
    }
    if (listeners !== undefined) for (const listener of listeners) listener.onEvents(heard);
    return ids;
  }

  #refuseTooLarge(fresh: readonly Fresh[]): void {
    let needed = CHANNEL * this.#blocks.cost(1);
    for (const { bytes } of fresh) needed += this.#events.cost(bytes);
    if (this.#fixed + needed <= this.#options.maxBytes) return;
    throw new BrokerError(
      'log-full',
      'What is to be published is larger than SLUICE_MEMORY_BYTES, all that the embedded log may hold.',
    );
  }

  /** After one event: remembers its key, and keeps to the channel's own bound, then to the one over all. */
  #keep(about: EventHead, key: string | undefined, size: number): void {
    if (key !== undefined) this.#keys.set(key, about.id, about.at);
    for (let i = 0; i < MAX_DROPPED && this.#channels.length(about.channel) > size; i++)
      this.#channels.dropOldest(about.channel, about.at);
    while (this.bytes > this.#options.maxBytes && this.#makeRoom(about.at));
  }

  /** The oldest events go first. What has a share of its own goes only when a single event fills all the rest. */
  #makeRoom(now: number): boolean {
    const { oldest, newest } = this.#events;
    if (oldest === newest) return this.#channels.forgetIdle() || this.#keys.forgetOldest();
    this.#channels.dropOldest(this.#events.channel(oldest), now);
    return true;
  }

  /** Drops what has become too old. That can be a million events at once, so it is done in slices. */
  #expire(): void {
    if (this.#closed) return;
    const { shortest, longest } = this.#channels.ttlRange;
    // With one time for all channels the oldest event of all is the first to become too old.
    this.#expireSlice({ channels: shortest < longest ? this.#channels.busyCount : 0 });
  }

  /** `left` counts the channels whose own oldest event is still to be looked at in this sweep. */
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

/** The names under which an append's events are remembered: the position is part of all but the first. */
function keysOf(channel: ChannelName, key: string, count: number): string[] {
  const first = `${channel} ${key}`;
  return Array.from({ length: count }, (_, index) => (index === 0 ? first : `${first} ${index}`));
}
