import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import { HEALTHY, PAGE_BYTES, TAIL_TTL } from '../core/event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  Following,
  LogHealth,
  LogListener,
  LogPage,
} from '../core/event-log.ts';
import type { EventId, NewEvent } from '../core/event.ts';
import { BlockStore, NONE } from './memory/block-store.ts';
import { ChannelHistory } from './memory/channel-history.ts';
import { ChannelRecords } from './memory/channel-records.ts';
import { EventRecords } from './memory/event-records.ts';
import { eventId, nextId } from './memory/id-parts.ts';
import type { IdParts } from './memory/id-parts.ts';
import { RememberedKeys } from './memory/remembered-keys.ts';

export interface MemoryEventLogOptions {
  /** Events kept a channel. */
  readonly historySize: number;
  /** How long an event is kept, in ms. */
  readonly historyTtl: number;
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
const SWEEP = 10_000;
/** How long a sweep may hold the event loop before it lets others have their turn, in ms. */
const SLICE = 5;
/** Blocks that a channel with one small event takes. */
const SMALL_CHANNEL = 2;
/** Blocks that a channel takes besides its events, at the most. */
const CHANNEL = 3;
/** An id with its field takes up to so many bytes of a frame. */
const ID_FIELD = 40;

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
    this.#sweep = setInterval(() => this.#expire(), SWEEP);
    this.#sweep.unref();
  }

  /** What the log holds, in bytes, its own bookkeeping included. What is known only for listeners is theirs. */
  get bytes(): number {
    return this.#fixed + this.#blocks.bytes - this.#channels.listeningBytes;
  }

  async append(channel: ChannelName, event: NewEvent, options: AppendOptions = {}): Promise<Appended> {
    const now = this.#steady();
    const key = options.idempotencyKey === undefined ? undefined : `${channel} ${options.idempotencyKey}`;
    const known = key === undefined ? undefined : this.#keys.get(key, now - this.#options.idempotencyTtl);
    if (known !== undefined) return { id: eventId(known), replayed: true };

    const bytes = Buffer.byteLength(event.fields);
    this.#refuseTooLarge(bytes);
    const record = this.#channels.open(channel, now);
    const tail = this.#channels.tail(record);
    const parts = nextId(tail, this.#wall());
    const id = eventId(parts);
    const head = `id: ${id}\n`;
    const listeners = this.#listeners.get(channel);
    const about = { channel: record, id: parts, at: now };
    if (listeners === undefined) {
      const added = this.#events.add(about, head, event.fields, head.length + bytes);
      this.#channels.push(record, added, parts, now);
      this.#keep(record, key, parts, now);
    } else {
      // It may stay in recent memory for long, so it must not be a slice of a shared buffer.
      const frame = Buffer.allocUnsafeSlow(head.length + bytes);
      frame.write(event.fields, frame.write(head, 'latin1'));
      this.#channels.push(record, this.#events.addFrame(about, frame), parts, now);
      this.#keep(record, key, parts, now);
      for (const listener of listeners) listener.onEvents([{ id, prev: eventId(tail), frame }]);
    }
    return { id, replayed: false };
  }

  async read(channel: ChannelName, after: EventId, limit: number): Promise<LogPage> {
    const history = this.#history(channel);
    if (history === undefined) {
      const known = eventId(this.#channels.forgotten);
      return { events: [], tail: known, complete: after === known, room: 0 };
    }
    const { events, tail, complete, left } = history.page(after, limit, PAGE_BYTES);
    return { events, tail, complete, room: Math.max(0, this.#options.historySize - left) };
  }

  async rewind(channel: ChannelName, count: number): Promise<EventId> {
    return this.#history(channel)?.rewind(count) ?? eventId(this.#channels.forgotten);
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    const now = this.#steady();
    const record = this.#channels.open(channel, now);
    let listeners = this.#listeners.get(channel);
    if (listeners === undefined) this.#listeners.set(channel, (listeners = new Set()));
    listeners.add(listener);
    this.#channels.setListeners(record, listeners.size, now);
    return {
      started: Promise.resolve(eventId(this.#channels.tail(record))),
      stop: () => {
        if (!listeners.delete(listener)) return;
        if (listeners.size === 0) this.#listeners.delete(channel);
        this.#channels.setListeners(record, listeners.size, this.#steady());
      },
    };
  }

  async health(): Promise<LogHealth> {
    return HEALTHY;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweep);
  }

  #history(channel: ChannelName): ChannelHistory | undefined {
    const record = this.#channels.find(channel);
    if (record === NONE) return undefined;
    return new ChannelHistory(
      this.#channels,
      this.#events,
      record,
      this.#steady() - this.#options.historyTtl,
    );
  }

  #refuseTooLarge(bytes: number): void {
    const needed = this.#events.cost(bytes + ID_FIELD) + CHANNEL * this.#blocks.cost(1);
    if (this.#fixed + needed <= this.#options.maxBytes) return;
    throw new BrokerError(
      'log-full',
      'The event is larger than SLUICE_MEMORY_BYTES, all that the embedded log may hold.',
    );
  }

  /** After an append: the channel's own bound, then the one over all. */
  #keep(channel: number, key: string | undefined, id: IdParts, now: number): void {
    if (key !== undefined) this.#keys.set(key, id, now);
    while (this.#channels.length(channel) > this.#options.historySize)
      this.#channels.dropOldest(channel, now);
    while (this.bytes > this.#options.maxBytes && this.#makeRoom(now));
  }

  /** The oldest events go first. What has a share of its own goes only when a single event fills all the rest. */
  #makeRoom(now: number): boolean {
    const { oldest, newest } = this.#events;
    if (oldest === newest) return this.#channels.forgetIdle() || this.#keys.forgetOldest();
    this.#channels.dropOldest(this.#events.channel(oldest), now);
    return true;
  }

  /** A million events may be too old at once; so it goes in slices. */
  #expire(): void {
    if (this.#closed) return;
    const until = performance.now() + SLICE;
    const now = this.#steady();
    for (let count = 1; this.#expireOne(now); count++) {
      if (count % 64 === 0 && performance.now() >= until) {
        setImmediate(() => this.#expire());
        return;
      }
    }
  }

  #expireOne(now: number): boolean {
    const { oldest } = this.#events;
    if (oldest !== NONE && this.#events.at(oldest) <= now - this.#options.historyTtl) {
      this.#channels.dropOldest(this.#events.channel(oldest), now);
      return true;
    }
    return (
      this.#keys.forgetOldest(now - this.#options.idempotencyTtl) || this.#channels.forgetIdle(now - TAIL_TTL)
    );
  }
}
