import type { ChannelName } from '../../events/channel-name.ts';
import type { ChannelState, HistoryPolicy } from '../event-log.ts';
import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import { ChannelMarks } from './channel-marks.ts';
import type { EventHead, EventRecords } from './event-records.ts';
import { IdleChannels } from './idle-channels.ts';
import { eventId, isAfter } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';
import { RecordOrder } from './record-order.ts';
import { StatusWord } from './status-word.ts';
import type { TailMark } from './status-word.ts';
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
/** The word after the doubles. */
const STATUS = 22;
const HEAD = 92;
const MAX_SIZE = 2 ** 32 - 1;

interface ChannelRecordsOptions {
  /** The expected number of channels. */
  readonly expected: number;
  /** The memory of all idle channels together, in bytes. */
  readonly idleLimit: number;
  /** Forgets the state of a channel that has one. */
  readonly forgetLatest: (name: string) => void;
}

/**
 * The channels, by name. A channel without events and listeners is idle: the log knows only its tail. Idle channels have a
 * memory share of their own, so that they displace no events.
 */
export class ChannelRecords {
  /** Only to be read, like the table: this class writes both. */
  readonly status: StatusWord;
  readonly table: TextTable;
  /** The channels with events or listeners. The owner may only turn the order. */
  readonly busy: RecordOrder;
  readonly #blocks: BlockStore;
  readonly #events: EventRecords;
  readonly #idle: IdleChannels;
  readonly #forgetLatest: (name: string) => void;
  readonly #marks = new Map<number, ChannelMarks>();
  #forgotten: IdParts = { ms: 0, seq: 0 };
  #listeningBytes = 0;
  #shortestTtl = Infinity;
  #longestTtl = 0;

  constructor(blocks: BlockStore, events: EventRecords, options: ChannelRecordsOptions) {
    const { expected, idleLimit, forgetLatest } = options;
    this.#forgetLatest = forgetLatest;
    this.#blocks = blocks;
    this.#events = events;
    this.status = new StatusWord(blocks, STATUS);
    this.table = new TextTable(blocks, HEAD, expected);
    this.busy = new RecordOrder(blocks);
    this.#idle = new IdleChannels(blocks, {
      limit: idleLimit,
      idleSince: IDLE_SINCE,
      isSilent: (channel) => this.appended(channel) === 0 && this.status.mark(channel) === 'open',
      hasLatest: (channel) => this.status.hasLatest(channel),
      cost: (channel) => this.table.cost(channel),
      forget: (channel) => this.#forget(channel),
    });
  }

  get fixedBytes(): number {
    return this.table.fixedBytes;
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

  /** The shortest and the longest `ttl` of all policies so far, in ms. */
  get ttlRange(): { readonly shortest: number; readonly longest: number } {
    return { shortest: this.#shortestTtl, longest: this.#longestTtl };
  }

  /** Returns NONE for an unknown channel. */
  find(name: ChannelName): number {
    return this.table.find(name);
  }

  /** Returns the channel. Adds an unknown channel, which is idle until it gets an event or a listener. */
  open(name: ChannelName, now: number): number {
    const known = this.table.find(name);
    if (known !== NONE) return known;
    const blocks = this.#blocks;
    const channel = this.table.add(name);
    for (let word = FIRST; word <= SIZE; word++) blocks.setWord(channel, word, 0);
    const { ms, seq } = this.#forgotten;
    blocks.setDouble(channel, TAIL_MS, ms);
    blocks.setWord(channel, TAIL_SEQ, seq);
    blocks.setDouble(channel, FLOOR_MS, ms);
    blocks.setWord(channel, FLOOR_SEQ, seq);
    blocks.setDouble(channel, APPENDED, 0);
    blocks.setDouble(channel, TTL, 0);
    blocks.setWord(channel, STATUS, 0);
    this.#idle.add(channel, now);
    return channel;
  }

  /** @param channel may be NONE */
  state(channel: number): ChannelState {
    if (channel === NONE) return { tail: eventId(this.#forgotten), status: 'empty' };
    const mark = this.status.mark(channel);
    const isEmpty = mark === 'cleared' || (mark === 'open' && this.appended(channel) === 0);
    return { tail: eventId(this.tail(channel)), status: isEmpty ? 'empty' : mark };
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

  /** How many events the channel had before its first event that is neither dropped nor cleared. */
  firstOrdinal(channel: number): number {
    return this.appended(channel) - this.length(channel) + this.status.cleared(channel);
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

  /** Whether the channel's oldest event is cleared, too old or one too many. */
  hasSurplus(channel: number, now: number): boolean {
    const length = this.length(channel);
    if (length === 0) return false;
    if (length > this.#blocks.word(channel, SIZE) || this.status.cleared(channel) > 0) return true;
    return this.#events.at(this.first(channel)) <= now - this.#blocks.double(channel, TTL);
  }

  /** Marks the tail as the end of the channel. */
  end(channel: number, now: number): void {
    this.#setStatus(channel, now, () => this.status.setMark(channel, 'ended'));
  }

  /** Notes whether the log keeps a state of the channel. */
  setHasLatest(channel: number, hasLatest: boolean, now: number): void {
    this.#setStatus(channel, now, () => this.status.setHasLatest(channel, hasLatest));
  }

  /** Hides all events. The caller drops them, and pushes the event that says so. */
  clear(channel: number): void {
    this.status.setCleared(channel, this.length(channel));
  }

  /** Adds an event, and marks the tail. */
  push({ channel, id, at: now }: EventHead, event: number, mark: TailMark): void {
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
    this.status.setMark(channel, mark);
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
    const cleared = this.status.cleared(channel);
    if (cleared > 0) this.status.setCleared(channel, cleared - 1);
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

  /** Forgets one idle channel without a state. Returns false when there is none. */
  forgetIdle(): boolean {
    return this.#idle.forgetOldest();
  }

  /** Forgets one channel that was already idle at `cutoff`. Returns false when there is none. */
  forgetExpired(cutoff: number): boolean {
    return this.#idle.forgetExpired(cutoff);
  }

  #forget(channel: number): void {
    const tail = this.tail(channel);
    if (this.status.hasLatest(channel)) this.#forgetLatest(this.table.text(channel));
    if (isAfter(tail, this.#forgotten)) this.#forgotten = tail;
    this.table.remove(channel);
  }

  /** Makes a change on which the order of an idle channel depends. */
  #setStatus(channel: number, now: number, change: () => void): void {
    const wasIdle = this.#isIdle(channel);
    if (wasIdle) this.#idle.remove(channel);
    change();
    if (wasIdle) this.#idle.add(channel, now);
  }

  /** Makes a change that may make the channel idle or busy, and updates orders and byte counts. */
  #change(channel: number, now: number, change: () => void): void {
    const cost = this.table.cost(channel);
    const wasIdle = this.#isIdle(channel);
    if (this.#onlyListens(channel)) this.#listeningBytes -= cost;
    change();
    if (this.#onlyListens(channel)) this.#listeningBytes += cost;
    if (wasIdle && !this.#isIdle(channel)) {
      this.#idle.remove(channel);
      this.busy.add(channel);
    }
    if (!wasIdle && this.#isIdle(channel)) {
      this.busy.remove(channel);
      this.#idle.add(channel, now);
    }
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
