import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import type { IdParts } from '../id-parts.ts';
import { RecordOrder } from './record-order.ts';

/** Words before an event's record. The order of all events uses the two words after these three. */
const LENGTH = 0;
const CHANNEL = 1;
const NEXT = 2;
const SEQ = 5;
/** Positions of doubles. A double is as long as two words. */
const AT = 3;
const MS = 4;
const HEAD = 40;

/** How many bytes are encoded at a time. A UTF-16 unit takes at most three bytes. */
const SCRATCH_BYTES = 64 * 1024;
const CHARACTERS = Math.floor(SCRATCH_BYTES / 3);

export interface EventHead {
  /** The record of the event's channel. */
  readonly channel: number;
  readonly id: IdParts;
  /** When the event was appended, in ms of the log's monotonic clock. */
  readonly at: number;
}

/** A record to add. Its two texts are not joined, because joining them would allocate a large text for a large event. */
export interface NewRecord {
  /** The part of the record before the data. */
  readonly head: string;
  readonly data: string;
  /** The size of the record in bytes. */
  readonly bytes: number;
}

/** The events of all channels, from the oldest to the newest. A number names an event until the event is dropped. */
export class EventRecords {
  readonly #blocks: BlockStore;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #order: RecordOrder;

  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
    this.#order = new RecordOrder(blocks);
  }

  get oldest(): number {
    return this.#order.oldest;
  }

  get newest(): number {
    return this.#order.newest;
  }

  /** The memory of an event whose record has `length` bytes. */
  cost(length: number): number {
    return this.#blocks.cost(HEAD + length);
  }

  add(about: EventHead, { head, data, bytes }: NewRecord): number {
    const added = this.#add(about, bytes);
    // An ASCII text has as many bytes as characters, and latin1 writes it faster.
    const encoding = head.length + data.length === bytes ? 'latin1' : 'utf8';
    if (encoding === 'latin1' && this.#blocks.writeTexts(added, HEAD, head, data)) return added;
    const position = this.#blocks.position(added, HEAD);
    let used = this.#scratch.write(head, encoding);
    if (bytes <= SCRATCH_BYTES) {
      used += this.#scratch.write(data, used, encoding);
      this.#blocks.write(position, this.#scratch, used);
    } else {
      this.#writeLong(this.#blocks.write(position, this.#scratch, used), data, encoding);
    }
    return added;
  }

  drop(event: number): void {
    this.#order.remove(event);
    this.#blocks.release(event);
  }

  /** The next event of the same channel. */
  next(event: number): number {
    return this.#blocks.word(event, NEXT);
  }

  setNext(event: number, next: number): void {
    this.#blocks.setWord(event, NEXT, next);
  }

  channel(event: number): number {
    return this.#blocks.word(event, CHANNEL);
  }

  id(event: number): IdParts {
    return { ms: this.#blocks.double(event, MS), seq: this.#blocks.word(event, SEQ) };
  }

  at(event: number): number {
    return this.#blocks.double(event, AT);
  }

  /** The size of the event's record in bytes. */
  length(event: number): number {
    return this.#blocks.word(event, LENGTH);
  }

  /** Copies the event's record into `target`, from `start` on. */
  copyRecord(event: number, target: Buffer, start: number): void {
    this.#blocks.read(this.#blocks.position(event, HEAD), target, start, this.length(event));
  }

  #add({ channel, id, at }: EventHead, length: number): number {
    const blocks = this.#blocks;
    const event = blocks.allocate(HEAD + length);
    blocks.setWord(event, LENGTH, length);
    blocks.setWord(event, CHANNEL, channel);
    blocks.setWord(event, NEXT, NONE);
    blocks.setWord(event, SEQ, id.seq);
    blocks.setDouble(event, AT, at);
    blocks.setDouble(event, MS, id.ms);
    this.#order.add(event);
    return event;
  }

  /** Encodes in pieces, so that a large event needs no large buffer. */
  #writeLong(position: number, text: string, encoding: 'latin1' | 'utf8'): void {
    let at = position;
    for (let start = 0; start < text.length;) {
      let end = Math.min(start + CHARACTERS, text.length);
      // Does not split a surrogate pair.
      if (end < text.length && (text.charCodeAt(end - 1) & 0xfc00) === 0xd800) end--;
      const used = this.#scratch.write(text.slice(start, end), encoding);
      at = this.#blocks.write(at, this.#scratch, used);
      start = end;
    }
  }
}
