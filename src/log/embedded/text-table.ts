import { randomInt } from 'node:crypto';
import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';

/** The words of a record that the table uses. The owner of the table uses the words after them, up to `head`. */
const LENGTH = 0;
const HASH = 1;
const NEXT_IN_BUCKET = 2;
const MAX_TEXT = 1_024;
const MAX_BUCKETS = 2 ** 28;

/**
 * A hash table of records by text. All its buckets exist from the start. A Map grows by copying all entries at once, which
 * holds the event loop too long at a million entries.
 */
export class TextTable {
  readonly #blocks: BlockStore;
  readonly #head: number;
  readonly #buckets: Uint32Array;
  /** A random seed, so that nobody can choose texts that all fall into one bucket. */
  readonly #seed = randomInt(2 ** 32);
  readonly #scratch = Buffer.allocUnsafeSlow(MAX_TEXT);

  /**
   * @param head the number of bytes before the text, including the table's three words
   * @param expected the expected number of records; more records make the table slower
   */
  constructor(blocks: BlockStore, head: number, expected: number) {
    this.#blocks = blocks;
    this.#head = head;
    // The operating system provides only the pages that are used.
    this.#buckets = new Uint32Array(Math.min(MAX_BUCKETS, 2 ** Math.ceil(Math.log2(Math.max(1, expected)))));
  }

  /** The memory of the empty table, in bytes. */
  get fixedBytes(): number {
    return this.#buckets.byteLength;
  }

  text(record: number): string {
    const length = this.#blocks.word(record, LENGTH);
    this.#blocks.read(this.#blocks.position(record, this.#head), this.#scratch, 0, length);
    return this.#scratch.toString('latin1', 0, length);
  }

  /** The memory of a record, in bytes. `extra` is the number of bytes behind the text. */
  cost(record: number, extra = 0): number {
    return this.#blocks.cost(this.#head + this.#blocks.word(record, LENGTH) + extra);
  }

  /** The position of the byte behind the text of a record. */
  end(record: number): number {
    return this.#blocks.position(record, this.#head + this.#blocks.word(record, LENGTH));
  }

  find(text: string): number {
    return this.#find(text, this.#hash(text));
  }

  /**
   * Adds a text of at most 1,024 characters, all below 256, that is not in the table. Leaves room for `extra` bytes behind the
   * text. Does not set the owner's numbers.
   */
  add(text: string, extra = 0): number {
    const blocks = this.#blocks;
    const hash = this.#hash(text);
    const record = blocks.allocate(this.#head + text.length + extra);
    blocks.setWord(record, LENGTH, text.length);
    blocks.setWord(record, HASH, hash);
    blocks.setWord(record, NEXT_IN_BUCKET, this.#bucket(hash));
    const length = this.#scratch.write(text, 'latin1');
    blocks.write(blocks.position(record, this.#head), this.#scratch, length);
    this.#setBucket(hash, record);
    return record;
  }

  remove(record: number): void {
    const blocks = this.#blocks;
    const hash = blocks.word(record, HASH);
    const next = blocks.word(record, NEXT_IN_BUCKET);
    let before = this.#bucket(hash);
    if (before === record) {
      this.#setBucket(hash, next);
    } else {
      while (blocks.word(before, NEXT_IN_BUCKET) !== record) before = blocks.word(before, NEXT_IN_BUCKET);
      blocks.setWord(before, NEXT_IN_BUCKET, next);
    }
    blocks.release(record);
  }

  #find(text: string, hash: number): number {
    const blocks = this.#blocks;
    for (let record = this.#bucket(hash); record !== NONE; record = blocks.word(record, NEXT_IN_BUCKET)) {
      const alike = blocks.word(record, HASH) === hash && blocks.word(record, LENGTH) === text.length;
      if (alike && blocks.matches(blocks.position(record, this.#head), text)) return record;
    }
    return NONE;
  }

  #bucket(hash: number): number {
    return this.#buckets[hash & (this.#buckets.length - 1)] as number;
  }

  #setBucket(hash: number, record: number): void {
    this.#buckets[hash & (this.#buckets.length - 1)] = record;
  }

  /** Works as MurmurHash3, with one character in each step. */
  #hash(text: string): number {
    let hash = this.#seed;
    for (let i = 0; i < text.length; i++) {
      const mixed = Math.imul(text.charCodeAt(i), 0xcc9e2d51);
      hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
      hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  }
}
