import { ORIGIN } from '../../events/event.ts';
import type { StoredEvent } from '../../events/event.ts';
import type { LatestLimits } from '../event-log.ts';
import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import { MAX_MEASURED } from './channel-history.ts';
import { isAfter } from '../id-parts.ts';
import type { IdParts } from '../id-parts.ts';
import { copyChain } from './record-chain.ts';
import { RecordOrder } from './record-order.ts';
import { TextTable } from './text-table.ts';

/** Words of a key's record. They follow those of the table and the order of all keys. */
const OLDER = 5;
const NEWER = 6;
const SEQ = 7;
const STATE = 10;
const BYTES = 11;
/** Words of a state's record. They follow those of the table and the order of states with cleared keys. */
const OLDEST = 5;
const NEWEST = 6;
const CLEARED_SEQ = 7;
const CHANNEL = 10;
/** The number of keys that are not cleared, and the first of them. */
const COUNT = 11;
const FIRST = 12;
/** The position of a double: of a key's event, or of the newest cleared event of a state. A double is as long as two words. */
const MS = 4;
const HEAD = 52;

export interface LatestRecordsOptions {
  /** The memory of all states together, in bytes. */
  readonly limit: number;
  /** Called when keys are dropped because a channel has too many, or all channels together. */
  readonly onDropped: (keys: number) => void;
  /** Called when a channel gets its first key or loses its last one, except in {@link LatestRecords.clear}. */
  readonly onChange: (channel: number, hasLatest: boolean) => void;
}

/** The newest event of a key. */
export interface LatestEvent {
  readonly id: IdParts;
  readonly record: Buffer;
}

/**
 * The state of each channel: the newest event of each key, in the order of the events' ids. The events are copies, because the
 * history drops its events without regard to keys.
 *
 * One table has a record for each key, under the name of the channel, a blank and the key, and a record for each state, under the
 * name of the channel. Neither a name nor a key has a blank.
 */
export class LatestRecords {
  readonly #blocks: BlockStore;
  readonly #options: LatestRecordsOptions;
  readonly #table: TextTable;
  /** All keys, in the order of their changes. */
  readonly #keys: RecordOrder;
  /** The states with cleared keys. */
  readonly #cleared: RecordOrder;
  #bytes = 0;

  constructor(blocks: BlockStore, options: LatestRecordsOptions) {
    this.#blocks = blocks;
    this.#options = options;
    this.#table = new TextTable(blocks, HEAD, options.limit / (2 * blocks.cost(1)));
    this.#keys = new RecordOrder(blocks);
    this.#cleared = new RecordOrder(blocks);
  }

  /** The memory without any state. */
  get fixedBytes(): number {
    return this.#table.fixedBytes;
  }

  /** How many keys the channel has. */
  count(name: string): number {
    const state = this.#table.find(name);
    return state === NONE ? 0 : this.#blocks.word(state, COUNT);
  }

  /** The memory of the channel's keys, in bytes, estimated from the first of them. */
  bytes(name: string): number {
    const state = this.#table.find(name);
    const count = this.count(name);
    if (count === 0) return 0;
    const measured = Math.min(count, MAX_MEASURED);
    let bytes = 0;
    let key = this.#blocks.word(state, FIRST);
    for (let i = 0; i < measured; i++, key = this.#blocks.word(key, NEWER)) bytes += this.#cost(key);
    return Math.round((bytes / measured) * count);
  }

  /** Makes the event the newest one of its key. May drop other keys to make room. An event that is larger than all room is dropped. */
  set(name: string, channel: number, key: string, { id, record }: LatestEvent): void {
    const blocks = this.#blocks;
    const { limit, onDropped, onChange } = this.#options;
    const text = `${name} ${key}`;
    if (blocks.cost(HEAD + text.length + record.length) > limit) {
      this.delete(name, key);
      onDropped(1);
      return;
    }
    const known = this.#table.find(text);
    if (known !== NONE) this.#remove(known);
    const state = this.#open(name, channel);
    const added = this.#table.add(text, record.length);
    const newest = blocks.word(state, NEWEST);
    blocks.setWord(added, OLDER, newest);
    blocks.setWord(added, NEWER, NONE);
    blocks.setWord(added, SEQ, id.seq);
    blocks.setDouble(added, MS, id.ms);
    blocks.setWord(added, STATE, state);
    blocks.setWord(added, BYTES, record.length);
    blocks.write(this.#table.end(added), record, record.length);
    blocks.setWord(newest === NONE ? state : newest, newest === NONE ? OLDEST : NEWER, added);
    blocks.setWord(state, NEWEST, added);
    const count = blocks.word(state, COUNT) + 1;
    blocks.setWord(state, COUNT, count);
    if (count === 1) blocks.setWord(state, FIRST, added);
    this.#keys.add(added);
    this.#bytes += this.#cost(added);
    if (count === 1) onChange(channel, true);
    while (this.#bytes > limit && this.dropOldest());
  }

  /** Forgets a key. */
  delete(name: string, key: string): void {
    const known = this.#table.find(`${name} ${key}`);
    if (known !== NONE && !this.#isCleared(known)) this.#take(known);
  }

  /** Drops the keys that changed longest ago, until the channel has `keys` keys. Drops at most `most`. */
  trim(name: string, keys: number, most: number): void {
    const surplus = this.count(name) - keys;
    if (surplus <= 0) return;
    const dropped = Math.min(surplus, most);
    for (let i = 0; i < dropped; i++) this.#take(this.#blocks.word(this.#table.find(name), FIRST));
    this.#options.onDropped(dropped);
  }

  /** Drops the key that changed longest ago, of any channel. Returns false when there is none. */
  dropOldest(): boolean {
    const { oldest } = this.#keys;
    if (oldest === NONE) return false;
    if (this.#isCleared(oldest)) {
      this.#remove(oldest);
    } else {
      this.#take(oldest);
      this.#options.onDropped(1);
    }
    return true;
  }

  /** Hides all keys of the channel. {@link dropOneCleared} frees their memory. */
  clear(name: string): void {
    const state = this.#table.find(name);
    const blocks = this.#blocks;
    if (state === NONE || blocks.word(state, COUNT) === 0) return;
    if (!this.#hasCleared(state)) this.#cleared.add(state);
    const { ms, seq } = this.#id(blocks.word(state, NEWEST));
    blocks.setDouble(state, MS, ms);
    blocks.setWord(state, CLEARED_SEQ, seq);
    blocks.setWord(state, COUNT, 0);
    blocks.setWord(state, FIRST, NONE);
  }

  /** Drops one cleared key, of any channel. Returns false when there is none. */
  dropOneCleared(): boolean {
    const { oldest } = this.#cleared;
    if (oldest === NONE) return false;
    this.#remove(this.#blocks.word(oldest, OLDEST));
    return true;
  }

  /** Reads the events after `after` up to `upTo`, within the limits. `more` says that there are further ones. */
  page(
    name: string,
    { after, upTo }: { readonly after: IdParts | undefined; readonly upTo: IdParts },
    limits: LatestLimits,
  ): { readonly events: readonly StoredEvent[]; readonly more: boolean } {
    const state = this.#table.find(name);
    let first = state === NONE ? NONE : this.#blocks.word(state, FIRST);
    const next = (event: number): number => this.#blocks.word(event, NEWER);
    const within = (event: number): number =>
      event === NONE || isAfter(this.#id(event), upTo) ? NONE : event;
    if (after !== undefined) while (first !== NONE && !isAfter(this.#id(first), after)) first = next(first);
    const chain = {
      next: (event: number) => within(next(event)),
      id: (event: number) => this.#id(event),
      length: (event: number) => this.#blocks.word(event, BYTES),
      copyRecord: (event: number, target: Buffer, start: number) =>
        this.#blocks.read(this.#table.end(event), target, start, this.#blocks.word(event, BYTES)),
    };
    const { events, rest } = copyChain(chain, within(first), ORIGIN, limits);
    return { events, more: rest !== NONE };
  }

  /** Returns the state of the channel. Adds it when there is none. */
  #open(name: string, channel: number): number {
    const blocks = this.#blocks;
    const known = this.#table.find(name);
    const state = known === NONE ? this.#table.add(name) : known;
    blocks.setWord(state, CHANNEL, channel);
    if (known !== NONE) return state;
    for (const word of [OLDEST, NEWEST, CLEARED_SEQ, COUNT, FIRST]) blocks.setWord(state, word, 0);
    blocks.setDouble(state, MS, 0);
    this.#bytes += this.#stateCost(state);
    return state;
  }

  #hasCleared(state: number): boolean {
    return this.#blocks.word(state, OLDEST) !== this.#blocks.word(state, FIRST);
  }

  #isCleared(key: number): boolean {
    const blocks = this.#blocks;
    const state = blocks.word(key, STATE);
    const cleared = { ms: blocks.double(state, MS), seq: blocks.word(state, CLEARED_SEQ) };
    return !isAfter(this.#id(key), cleared);
  }

  #id(key: number): IdParts {
    return { ms: this.#blocks.double(key, MS), seq: this.#blocks.word(key, SEQ) };
  }

  /** Removes a key that is not cleared, and calls onChange when it was the channel's last one. */
  #take(key: number): void {
    const state = this.#blocks.word(key, STATE);
    const channel = this.#blocks.word(state, CHANNEL);
    const isLast = this.#blocks.word(state, COUNT) === 1;
    this.#remove(key);
    if (isLast) this.#options.onChange(channel, false);
  }

  /** Removes a key, and its state when the state has no other key. */
  #remove(key: number): void {
    const blocks = this.#blocks;
    const state = blocks.word(key, STATE);
    const older = blocks.word(key, OLDER);
    const newer = blocks.word(key, NEWER);
    blocks.setWord(older === NONE ? state : older, older === NONE ? OLDEST : NEWER, newer);
    blocks.setWord(newer === NONE ? state : newer, newer === NONE ? NEWEST : OLDER, older);
    if (this.#isCleared(key)) {
      if (!this.#hasCleared(state)) this.#cleared.remove(state);
    } else {
      blocks.setWord(state, COUNT, blocks.word(state, COUNT) - 1);
      if (blocks.word(state, FIRST) === key) blocks.setWord(state, FIRST, newer);
    }
    this.#keys.remove(key);
    this.#bytes -= this.#cost(key);
    this.#table.remove(key);
    if (blocks.word(state, OLDEST) !== NONE) return;
    this.#bytes -= this.#stateCost(state);
    this.#table.remove(state);
  }

  #cost(key: number): number {
    return this.#table.cost(key, this.#blocks.word(key, BYTES));
  }

  /** The memory of a state's record, and of the channel's record, which stays as long as the state. */
  #stateCost(state: number): number {
    return 2 * this.#table.cost(state);
  }
}
