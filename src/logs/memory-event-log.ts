import type { ChannelName } from '../core/channel-name.ts';
import { BrokerError } from '../core/errors.ts';
import { HEALTHY } from '../core/event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  Following,
  LogHealth,
  LogListener,
  LogPage,
} from '../core/event-log.ts';
import { ORIGIN } from '../core/event.ts';
import type { EventId, NewEvent, StoredEvent } from '../core/event.ts';
import { ChannelHistory } from './channel-history.ts';
import type { Entry } from './channel-history.ts';

export interface MemoryEventLogOptions {
  /** Events kept a channel. */
  readonly historySize: number;
  /** How long an event is kept, in ms. */
  readonly historyTtl: number;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** Bound over all channels; the oldest events go first. */
  readonly maxBytes: number;
  /** Epoch ms; for tests. */
  readonly clock?: () => number;
}

/** What an entry costs besides its frame, and a channel besides its entries; measured, rounded up. */
const ENTRY_BYTES = 240;
const CHANNEL_BYTES = 600;
const KEY_BYTES = 160;
const PAGE_BYTES = 256 * 1024;
/** How long a channel's tail outlives its events, in ms: as long, "you missed nothing" can still be said. */
const TAIL_TTL = 86_400_000;
const SWEEP = 10_000;

interface RememberedKey {
  readonly id: EventId;
  readonly expiresAt: number;
  readonly bytes: number;
}

/** The embedded log: everything in this process, bounded, gone with it. Serves one broker on its own. */
export class MemoryEventLog implements EventLog {
  readonly #options: MemoryEventLogOptions;
  readonly #now: () => number;
  readonly #channels = new Map<ChannelName, ChannelHistory>();
  /** Oldest first: all keys live equally long. */
  readonly #keys = new Map<string, RememberedKey>();
  readonly #sweep: NodeJS.Timeout;
  #oldest: Entry | undefined;
  #newest: Entry | undefined;
  #bytes = 0;

  constructor(options: MemoryEventLogOptions) {
    this.#options = options;
    this.#now = options.clock ?? Date.now;
    this.#sweep = setInterval(() => this.#expire(), SWEEP);
    this.#sweep.unref();
  }

  /** What the log holds, in bytes, its own bookkeeping included. */
  get bytes(): number {
    return this.#bytes;
  }

  async append(channel: ChannelName, event: NewEvent, options: AppendOptions = {}): Promise<Appended> {
    const now = this.#now();
    const key = options.idempotencyKey === undefined ? undefined : `${channel} ${options.idempotencyKey}`;
    const known = key === undefined ? undefined : this.#keys.get(key);
    if (known !== undefined && known.expiresAt > now) return { id: known.id, replayed: true };

    const history = this.#history(channel);
    const stored = this.#store(history, event, now);
    if (key !== undefined) this.#remember(key, stored.id, now);
    this.#trim(history, now);
    for (const listener of history.listeners) listener.onEvents([stored]);
    return { id: stored.id, replayed: false };
  }

  async read(channel: ChannelName, after: EventId, limit: number): Promise<LogPage> {
    const history = this.#channels.get(channel);
    if (history === undefined) return { events: [], tail: ORIGIN, complete: after === ORIGIN, room: 0 };
    this.#trim(history, this.#now());
    return {
      events: history.after(after, limit, PAGE_BYTES),
      tail: history.tail,
      complete: history.knows(after),
      room: Math.max(0, this.#options.historySize - history.lengthAfter(after)),
    };
  }

  async rewind(channel: ChannelName, count: number): Promise<EventId> {
    const history = this.#channels.get(channel);
    if (history === undefined) return ORIGIN;
    this.#trim(history, this.#now());
    return history.rewind(count);
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    const history = this.#history(channel);
    history.listeners.add(listener);
    return {
      started: Promise.resolve(history.tail),
      stop: () => {
        history.listeners.delete(listener);
      },
    };
  }

  async health(): Promise<LogHealth> {
    return HEALTHY;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
  }

  #history(channel: ChannelName): ChannelHistory {
    let history = this.#channels.get(channel);
    if (history === undefined) {
      history = new ChannelHistory(channel);
      this.#channels.set(channel, history);
      this.#bytes += CHANNEL_BYTES;
    }
    return history;
  }

  #store(history: ChannelHistory, event: NewEvent, now: number): StoredEvent {
    const bytes = Buffer.byteLength(event.fields) + 64;
    if (bytes + ENTRY_BYTES + CHANNEL_BYTES > this.#options.maxBytes) {
      throw new BrokerError(
        'log-full',
        'The event is larger than SLUICE_MEMORY_BYTES, all that the embedded log may hold.',
      );
    }
    const prev = history.tail;
    const id = history.nextId(now);
    const stored: StoredEvent = { id, prev, frame: Buffer.from(`id: ${id}\n${event.fields}`) };
    const entry: Entry = { event: stored, history, at: now, older: this.#newest, newer: undefined };
    if (this.#newest) this.#newest.newer = entry;
    else this.#oldest = entry;
    this.#newest = entry;
    history.push(entry);
    this.#bytes += stored.frame.length + ENTRY_BYTES;
    return stored;
  }

  #remember(key: string, id: EventId, now: number): void {
    const bytes = key.length + KEY_BYTES;
    this.#forgetKey(key);
    this.#keys.set(key, { id, expiresAt: now + this.#options.idempotencyTtl, bytes });
    this.#bytes += bytes;
  }

  #forgetKey(key: string): void {
    const known = this.#keys.get(key);
    if (known === undefined) return;
    this.#keys.delete(key);
    this.#bytes -= known.bytes;
  }

  /** The channel's own bounds, then the one over all: the oldest events go first, then what is known of empty channels. */
  #trim(history: ChannelHistory, now: number): void {
    const expired = now - this.#options.historyTtl;
    while (
      history.length > this.#options.historySize ||
      (history.oldest !== undefined && history.oldest.at <= expired)
    ) {
      this.#drop(history.oldest as Entry);
    }
    while (this.#bytes > this.#options.maxBytes && this.#makeRoom(history));
  }

  #makeRoom(current: ChannelHistory): boolean {
    if (this.#oldest !== undefined && this.#oldest !== this.#newest) {
      this.#drop(this.#oldest);
      return true;
    }
    for (const key of this.#keys.keys()) {
      this.#forgetKey(key);
      return true;
    }
    for (const history of this.#channels.values()) {
      if (history !== current && this.#forgetChannel(history)) return true;
    }
    return false;
  }

  #drop(entry: Entry): void {
    entry.history.dropOldest();
    if (entry.older) entry.older.newer = entry.newer;
    else this.#oldest = entry.newer;
    if (entry.newer) entry.newer.older = entry.older;
    else this.#newest = entry.older;
    this.#bytes -= entry.event.frame.length + ENTRY_BYTES;
  }

  #forgetChannel(history: ChannelHistory): boolean {
    if (history.length > 0 || history.listeners.size > 0) return false;
    this.#channels.delete(history.name);
    this.#bytes -= CHANNEL_BYTES;
    return true;
  }

  #expire(): void {
    const now = this.#now();
    while (this.#oldest !== undefined && this.#oldest.at <= now - this.#options.historyTtl)
      this.#drop(this.#oldest);
    for (const [key, { expiresAt }] of this.#keys) {
      if (expiresAt > now) break;
      this.#forgetKey(key);
    }
    const forgotten = now - this.#options.historyTtl - TAIL_TTL;
    for (const history of this.#channels.values()) {
      if (history.ms <= forgotten) this.#forgetChannel(history);
    }
  }
}
