import type { ChannelName } from '../../events/channel-name.ts';
import { DEFAULT_KEYS } from '../../events/channel-policies.ts';
import { HEALTHY, PAGE_BYTES, refuseTooMany } from '../event-log.ts';
import type {
  AppendOptions,
  Appended,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LatestCursor,
  LatestLimits,
  LatestPage,
  LogHealth,
  LogListener,
  LogPage,
} from '../event-log.ts';
import { rejected } from '../../events/errors.ts';
import type { EventId, NewEvent, StoredEvent } from '../../events/event.ts';
import { clearedEvent, deletesKey, recordHead } from '../../events/record.ts';
import { TextEvent } from '../../events/text-event.ts';
import { channelEnded, tailMismatch } from '../append-refusals.ts';
import { NONE } from './block-store.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { EventHead, NewRecord } from './event-records.ts';
import { IdTexts, eventId, idParts, nextId } from '../id-parts.ts';
import { Followed } from './followed.ts';
import { LogMemory } from './log-memory.ts';
import type { LogMemoryOptions } from './log-memory.ts';
import { MemoryCatalog } from './memory-catalog.ts';
import { keyedPositions } from '../keyed-positions.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import type { TailMark } from './status-word.ts';

export interface MemoryEventLogOptions extends LogMemoryOptions {
  /** Returns epoch ms for ids. Only tests set it. */
  readonly wallClock?: () => number;
  /** Returns the ms of a monotonic clock, for ages. Only tests set it. */
  readonly steadyClock?: () => number;
}

/** How many events or keys a channel drops at most for each appended event, after its size was lowered. */
const MAX_DROPPED = 64;

/** An event to append. */
interface Fresh extends NewRecord {
  /** The event's place among those of the append. */
  readonly index: number;
  /** Where the log remembers the idempotency key. */
  readonly position: KeyedPosition | undefined;
  readonly type: string | undefined;
  /** The event's own key. */
  readonly key: string | undefined;
  /** Whether the event makes the log forget the newest event of the key. */
  readonly deletes: boolean;
}

/** What an append that is not refused does. */
interface AppendStep {
  readonly channel: ChannelName;
  /** The record of the channel, or NONE. */
  readonly record: number;
  readonly followed: Followed | undefined;
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
  readonly isOutside = false;
  readonly #wall: () => number;
  readonly #steady: () => number;
  readonly #memory: LogMemory;
  readonly #channels: ChannelRecords;
  readonly #followed = new Map<ChannelName, Followed>();
  readonly #ids = new IdTexts();

  constructor(options: MemoryEventLogOptions) {
    this.#wall = options.wallClock ?? Date.now;
    this.#steady = options.steadyClock ?? (() => performance.now());
    this.#memory = new LogMemory(options, this.#steady);
    this.#channels = this.#memory.channels;
    this.catalog = new MemoryCatalog(this.#memory, this.#steady);
  }

  /** The memory of the log, in bytes, with its bookkeeping. Channels with listeners and without events do not count. */
  get bytes(): number {
    return this.#memory.bytes;
  }

  append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): readonly Appended[] | Promise<never> {
    try {
      return this.#append(channel, events, options);
    } catch (error) {
      return rejected(error);
    }
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
    for (const key of keyedPositions(channel, events, options) ?? []) this.#memory.keys.recall(key, now);
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    return this.#channels.state(this.#channels.find(channel));
  }

  async clear(channel: ChannelName, policy: HistoryPolicy): Promise<boolean> {
    const record = this.#channels.find(channel);
    if (this.#channels.state(record).status === 'empty') return false;
    const now = this.#steady();
    this.#channels.clear(record);
    if (this.#channels.status.hasLatest(record)) {
      this.#memory.latest.clear(channel);
      this.#channels.setHasLatest(record, false, now);
    }
    this.#channels.setPolicy(record, policy);
    const fresh = [freshEvent(clearedEvent(channel), 0, undefined)];
    this.#memory.sweep.dropCleared(channel);
    const followed = this.#followed.get(channel);
    this.#appendFresh({ channel, record, followed, fresh, policy, now, mark: 'cleared' }, []);
    return true;
  }

  async rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId> {
    return this.catalog.history(channel, policy)?.rewind(count) ?? eventId(this.#channels.forgotten);
  }

  async readLatest(
    channel: ChannelName,
    after: LatestCursor | undefined,
    limits: LatestLimits,
  ): Promise<LatestPage> {
    const { tail, status } = await this.state(channel);
    const upTo = after?.upTo ?? tail;
    const { events, more } = this.#memory.latest.page(
      channel,
      { after: after && idParts(after.place as EventId), upTo: idParts(upTo) },
      limits,
    );
    const place = events.at(-1)?.id;
    const next = more && place !== undefined ? { upTo, place } : undefined;
    return { events, tail, ended: status === 'ended', next };
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    const now = this.#steady();
    const record = this.#channels.open(channel, now);
    let followed = this.#followed.get(channel);
    if (followed === undefined) this.#followed.set(channel, (followed = new Followed(record)));
    followed.add(listener);
    this.#channels.setListeners(record, followed.size, now);
    queueMicrotask(() => {
      if (followed.has(listener)) listener.onFollowing(this.#channels.state(record));
    });
    return () => {
      if (!followed.remove(listener)) return;
      if (followed.size === 0) this.#followed.delete(channel);
      this.#channels.setListeners(record, followed.size, this.#steady());
    };
  }

  async health(): Promise<LogHealth> {
    return HEALTHY;
  }

  async close(): Promise<void> {
    this.#memory.sweep.close();
  }

  /** @throws BrokerError as {@link append} rejects */
  #append(channel: ChannelName, events: readonly NewEvent[], options: AppendOptions): readonly Appended[] {
    refuseTooMany(events);
    const { policy, ifLast, end = false } = options;
    const now = this.#steady();
    const positions = keyedPositions(channel, events, options);
    const results: Appended[] = [];
    const fresh: Fresh[] = [];
    const count = Math.max(events.length, end ? 1 : 0);
    // No iterator and no closure for each event: nearly all appends are of one event, and this is the path of each.
    for (let index = 0; index < count; index++) {
      const position = positions?.[index];
      const known = position === undefined ? undefined : this.#memory.keys.recall(position, now);
      const event = events[index];
      if (known !== undefined) results[index] = { id: eventId(known), replayed: true };
      else if (event !== undefined) fresh.push(freshEvent(event, index, position));
    }
    const ends = end && results[count - 1] === undefined;
    if (fresh.length === 0 && !ends) return results;
    this.#memory.refuseTooLarge(fresh);
    const followed = this.#followed.get(channel);
    const record = followed?.record ?? this.#channels.find(channel);
    this.#refuseUnmet(record, ifLast);
    if (fresh.length === 0) return [this.#end(channel, policy, positions?.[0], now)];
    const mark = ends ? 'ended' : 'open';
    this.#appendFresh({ channel, record, followed, fresh, policy, now, mark }, results);
    return results;
  }

  /** Checks that the channel takes events, and that `ifLast` is its tail. */
  #refuseUnmet(record: number, ifLast: EventId | undefined): void {
    if (record !== NONE && this.#channels.status.mark(record) === 'ended') throw channelEnded();
    if (ifLast === undefined) return;
    const { tail } = this.#channels.state(record);
    if (ifLast !== tail) throw tailMismatch(tail);
  }

  /** Ends the channel without an event. */
  #end(
    channel: ChannelName,
    policy: HistoryPolicy,
    position: KeyedPosition | undefined,
    now: number,
  ): Appended {
    const record = this.#channels.open(channel, now);
    this.#channels.setPolicy(record, policy);
    this.#channels.end(record, now);
    const tail = this.#channels.tail(record);
    if (position !== undefined) this.#memory.keys.set(position, tail, now);
    this.#memory.limit(now);
    const id = eventId(tail);
    this.#followed.get(channel)?.tellEnd(id);
    return { id, replayed: false };
  }

  /** Appends all events, puts their ids into `results` and calls the listeners. */
  #appendFresh(step: AppendStep, results: Appended[]): void {
    const { channel, followed, fresh, policy, now, mark } = step;
    let record = step.record === NONE ? this.#channels.open(channel, now) : step.record;
    this.#channels.setPolicy(record, policy);
    const heard: StoredEvent[] = [];
    const last = fresh[fresh.length - 1];
    let hasKeys = false;
    for (const event of fresh) {
      // A channel that keeps no events is idle after each event, and may be forgotten to make room.
      if (policy.size === 0) record = this.#channels.open(channel, now);
      const tail = this.#channels.tail(record);
      const parts = nextId(tail, this.#wall());
      const id = this.#ids.textOf(parts);
      results[event.index] = { id, replayed: false };
      const about = { channel: record, id: parts, at: now };
      this.#channels.push(about, this.#memory.events.add(about, event), event === last ? mark : 'open');
      if (followed !== undefined || event.key !== undefined) {
        const text = new TextEvent(id, eventId(tail), event);
        heard.push(text);
        this.#setLatest(channel, about, event, text);
      }
      if (event.key !== undefined) hasKeys = true;
      this.#keep(about, event.position, policy.size);
    }
    // Looks up the channel, so it is not for each append.
    if (hasKeys) this.#memory.latest.trim(channel, policy.keys ?? DEFAULT_KEYS, MAX_DROPPED + fresh.length);
    followed?.tell(heard, mark === 'ended');
  }

  /** Keeps the event as the newest one of its key, or forgets the key. */
  #setLatest(name: ChannelName, { channel, id }: EventHead, { key, deletes }: Fresh, text: TextEvent): void {
    if (key === undefined) return;
    if (deletes) this.#memory.latest.delete(name, key);
    else this.#memory.latest.set(name, channel, key, { id, record: text.record });
  }

  /** After one appended event: remembers its idempotency key, and enforces the limits of the channel and of the whole log. */
  #keep(about: EventHead, position: KeyedPosition | undefined, size: number): void {
    if (position !== undefined) this.#memory.keys.set(position, about.id, about.at);
    for (let i = 0; i < MAX_DROPPED && this.#channels.length(about.channel) > size; i++)
      this.#channels.dropOldest(about.channel, about.at);
    this.#memory.limit(about.at);
  }
}

function freshEvent(event: NewEvent, index: number, position: KeyedPosition | undefined): Fresh {
  const { type, data, key } = event;
  const head = recordHead(event);
  const bytes = Buffer.byteLength(head) + Buffer.byteLength(data);
  return { index, type, head, data, bytes, position, key, deletes: key !== undefined && deletesKey(event) };
}
