import type { ChannelName } from '../../events/channel-name.ts';
import type { HistoryPolicy } from '../event-log.ts';
import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import { ChannelMarks } from './channel-marks.ts';
import type { EventRecords } from './event-records.ts';
import { isAfter } from './id-parts.ts';
import type { IdParts } from './id-parts.ts';
import { RecordOrder } from './record-order.ts';
import { TextTable } from './text-table.ts';

/** These words follow those of the table and the order. They belong to the tail's id and to the id before the first event. */
const TAIL_SEQ = 5;
const FLOOR_SEQ = 6;
/** The first event, the last event, the number of events, the number of listeners, and the largest number of events. */
const FIRST = 7;
const LAST = 8;
const LENGTH = 9;
const LISTENERS = 10;
const SIZE = 11;
/** Positions of doubles. A double is as long as two words. */
const TAIL_MS = 6;
const FLOOR_MS = 7;
/** How many events were ever appended. */
const APPENDED = 8;
/** When the channel became idle. */
const IDLE_SINCE = 9;
/** How long the channel keeps an event, in ms. */
const TTL = 10;
const HEAD = 88;
const MAX_SIZE = 2 ** 32 - 1;

/**
 * The channels, by name. A channel without events and listeners is idle: the log knows only its tail. Idle channels have a
 * memory share of their own, so that they displace no events. When the share is full, channels that never had an event are
 * forgotten first, then the channel that has been idle for longest.
 */
export class ChannelRecords {
  readonly #blocks: BlockStore;
  readonly #events: EventRecords;
  readonly #table: TextTable;
  /** `#idle` has the idle channels with a tail of their own. `#silent` has the idle channels that never had an event. */
  readonly #idle: RecordOrder;
  readonly #silent: RecordOrder;
  /** All other channels, in the order in which {@link nextBusy} returns them. */
  readonly #busy: RecordOrder;
  readonly #idleLimit: number;
  readonly #marks = new Map<number, ChannelMarks>();
  #forgotten: IdParts = { ms: 0, seq: 0 };
  #idleBytes = 0;
  #listeningBytes = 0;
  #busyCount = 0;
  #shortestTtl = Infinity;
  #longestTtl = 0;

  /** @param idleLimit the memory of all idle channels together, in bytes */
  constructor(
    blocks: BlockStore,
    events: EventRecords,
    { expected, idleLimit }: { readonly expected: number; readonly idleLimit: number },
  ) {
    this.#blocks = blocks;
    this.#events = events;
    this.#table = new TextTable(blocks, HEAD, expected);
    this.#idle = new RecordOrder(blocks);
    this.#silent = new RecordOrder(blocks);
    this.#busy = new RecordOrder(blocks);
    this.#idleLimit = idleLimit;
  }

  get fixedBytes(): number {
    return this.#table.fixedBytes;
  }

  /** The memory of channels that have listeners and no events. */
  get listeningBytes(): number {
    return this.#listeningBytes;
  }

  /**
   * The newest id of all forgotten tails. It is the tail of every unknown channel, because an unknown channel may have had
   * events up to this id. So no id is used twice, and a subscriber at an older position gets a gap.
   */
  get forgotten(): IdParts {
    return this.#forgotten;
  }

  /** How many channels have events or listeners. */
  get busyCount(): number {
    return this.#busyCount;
  }

  /** The shortest and the longest `ttl` of all policies so far, in ms. */
  get ttlRange(): { readonly shortest: number; readonly longest: number } {
    return { shortest: this.#shortestTtl, longest: this.#longestTtl };
  }

  /** Returns NONE for an unknown channel. */
  find(name: ChannelName): number {
    return this.#table.find(name);
  }

  /** Returns the channel. Adds an unknown channel, which is idle until it gets an event or a listener. */
  open(name: ChannelName, now: number): number {
    const known = this.#table.find(name);
    if (known !== NONE) return known;
    const blocks = this.#blocks;
    const channel = this.#table.add(name);
    for (let word = FIRST; word <= SIZE; word++) blocks.setWord(channel, word, 0);
    const { ms, seq } = this.#forgotten;
    blocks.setDouble(channel, TAIL_MS, ms);
    blocks.setWord(channel, TAIL_SEQ, seq);
    blocks.setDouble(channel, FLOOR_MS, ms);
    blocks.setWord(channel, FLOOR_SEQ, seq);
    blocks.setDouble(channel, APPENDED, 0);
    blocks.setDouble(channel, TTL, 0);
    this.#beginIdle(channel, now);
    return channel;
  }

  length(channel: number): number {
    return this.#blocks.word(channel, LENGTH);
  }

  tail(channel: number): IdParts {
    return { ms: this.#blocks.double(channel, TAIL_MS), seq: this.#blocks.word(channel, TAIL_SEQ) };
  }

  /** The id before the first kept event. */
  floor(channel: number): IdParts {
    return { ms: this.#blocks.double(channel, FLOOR_MS), seq: this.#blocks.word(channel, FLOOR_SEQ) };
  }

  first(channel: number): number {
    return this.#blocks.word(channel, FIRST);
  }

  appended(channel: number): number {
    return this.#blocks.double(channel, APPENDED);
  }

  marks(channel: number): ChannelMarks | undefined {
    return this.#marks.get(channel);
  }

  /** Stores which events the channel keeps from now on. */
  setPolicy(channel: number, { size, ttl }: HistoryPolicy): void {
    this.#blocks.setWord(channel, SIZE, Math.min(size, MAX_SIZE));
    this.#blocks.setDouble(channel, TTL, ttl);
    if (ttl < this.#shortestTtl) this.#shortestTtl = ttl;
    if (ttl > this.#longestTtl) this.#longestTtl = ttl;
  }

  /** Whether the channel's oldest event is too old or one too many. */
  hasSurplus(channel: number, now: number): boolean {
    const length = this.length(channel);
    if (length === 0) return false;
    if (length > this.#blocks.word(channel, SIZE)) return true;
    return this.#events.at(this.first(channel)) <= now - this.#blocks.double(channel, TTL);
  }

  /** The channel with events or listeners whose turn it is; NONE without such channels. */
  nextBusy(): number {
    return this.#busy.oldest;
  }

  /** Moves the channel of {@link nextBusy} to the end of the order. */
  turnBusy(): void {
    const channel = this.#busy.oldest;
    this.#busy.remove(channel);
    this.#busy.add(channel);
  }

  push(channel: number, event: number, id: IdParts, now: number): void {
    const blocks = this.#blocks;
    const length = this.length(channel);
    const appended = this.appended(channel);
    if (length === 0) {
      this.#change(channel, now, () => blocks.setWord(channel, LENGTH, 1));
      blocks.setWord(channel, FIRST, event);
    } else {
      blocks.setWord(channel, LENGTH, length + 1);
      this.#events.setNext(blocks.word(channel, LAST), event);
    }
    blocks.setWord(channel, LAST, event);
    blocks.setDouble(channel, TAIL_MS, id.ms);
    blocks.setWord(channel, TAIL_SEQ, id.seq);
    blocks.setDouble(channel, APPENDED, appended + 1);
    if (ChannelMarks.due(appended)) this.#mark(channel).push({ event, ordinal: appended });
  }

  dropOldest(channel: number, now: number): void {
    const blocks = this.#blocks;
    const event = this.first(channel);
    const id = this.#events.id(event);
    blocks.setDouble(channel, FLOOR_MS, id.ms);
    blocks.setWord(channel, FLOOR_SEQ, id.seq);
    blocks.setWord(channel, FIRST, this.#events.next(event));
    this.#marks.get(channel)?.drop(event);
    this.#events.drop(event);
    const length = this.length(channel) - 1;
    if (length > 0) {
      blocks.setWord(channel, LENGTH, length);
    } else {
      this.#marks.delete(channel);
      this.#change(channel, now, () => blocks.setWord(channel, LENGTH, 0));
    }
  }

  setListeners(channel: number, count: number, now: number): void {
    this.#change(channel, now, () => this.#blocks.setWord(channel, LISTENERS, count));
  }

  /**
   * Forgets the channel that has been idle for longest, if it was already idle at `cutoff`. Channels that never had an event
   * go first, because anybody can subscribe to invented names. Returns false when there is no such channel.
   */
  forgetIdle(cutoff = Infinity): boolean {
    return this.#forgetOldest(this.#silent, cutoff) || this.#forgetOldest(this.#idle, cutoff);
  }

  #forgetOldest(order: RecordOrder, cutoff: number, but = NONE): boolean {
    const { oldest } = order;
    if (oldest === NONE || oldest === but || this.#blocks.double(oldest, IDLE_SINCE) > cutoff) return false;
    const tail = this.tail(oldest);
    if (isAfter(tail, this.#forgotten)) this.#forgotten = tail;
    order.remove(oldest);
    this.#idleBytes -= this.#table.cost(oldest);
    this.#table.remove(oldest);
    return true;
  }

  /** Makes a change that may make the channel idle or busy, and updates orders and byte counts. */
  #change(channel: number, now: number, change: () => void): void {
    const cost = this.#table.cost(channel);
    const wasIdle = this.#isIdle(channel);
    if (this.#onlyListens(channel)) this.#listeningBytes -= cost;
    change();
    if (this.#onlyListens(channel)) this.#listeningBytes += cost;
    if (wasIdle && !this.#isIdle(channel)) {
      this.#orderOf(channel).remove(channel);
      this.#idleBytes -= cost;
      this.#busy.add(channel);
      this.#busyCount++;
    }
    if (!wasIdle && this.#isIdle(channel)) {
      this.#busy.remove(channel);
      this.#busyCount--;
      this.#beginIdle(channel, now);
    }
  }

  #beginIdle(channel: number, now: number): void {
    this.#blocks.setDouble(channel, IDLE_SINCE, now);
    this.#orderOf(channel).add(channel);
    this.#idleBytes += this.#table.cost(channel);
    while (this.#idleBytes > this.#idleLimit && this.#forgetAnother(channel));
  }

  #forgetAnother(channel: number): boolean {
    return (
      this.#forgetOldest(this.#silent, Infinity, channel) || this.#forgetOldest(this.#idle, Infinity, channel)
    );
  }

  /** The order in which an idle channel is. */
  #orderOf(channel: number): RecordOrder {
    return this.appended(channel) === 0 ? this.#silent : this.#idle;
  }

  #isIdle(channel: number): boolean {
    return this.length(channel) === 0 && this.#blocks.word(channel, LISTENERS) === 0;
  }

  #onlyListens(channel: number): boolean {
    return this.length(channel) === 0 && this.#blocks.word(channel, LISTENERS) > 0;
  }

  #mark(channel: number): ChannelMarks {
    let marks = this.#marks.get(channel);
    if (marks === undefined) this.#marks.set(channel, (marks = new ChannelMarks()));
    return marks;
  }
}
