import { keyReused } from '../append-refusals.ts';
import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import type { IdParts } from '../id-parts.ts';
import type { KeyedPosition } from '../keyed-positions.ts';
import { RecordOrder } from './record-order.ts';
import { TextTable } from './text-table.ts';

/** These words follow those of the table and the order. A double is as long as two words. */
const SEQ = 5;
const AT = 3;
const MS = 4;
/** The two halves of the digest. */
const DIGEST = 10;
const DIGEST_END = 11;
const HEAD = 48;
/** The number of hex digits of a word. */
const WORD_DIGITS = 8;

/** The id that each idempotency key has led to, and a digest. When the memory is full, the oldest key is forgotten first. */
export class RememberedKeys {
  readonly #blocks: BlockStore;
  readonly #limit: number;
  readonly #ttl: number;
  readonly #table: TextTable;
  readonly #order: RecordOrder;
  #bytes = 0;

  /**
   * @param limit the memory of all keys together, in bytes
   * @param ttl how long a key is remembered, in ms
   */
  constructor(blocks: BlockStore, { limit, ttl }: { readonly limit: number; readonly ttl: number }) {
    this.#blocks = blocks;
    this.#limit = limit;
    this.#ttl = ttl;
    this.#table = new TextTable(blocks, HEAD, limit / blocks.cost(HEAD));
    this.#order = new RecordOrder(blocks);
  }

  /** The memory without any key. */
  get fixedBytes(): number {
    return this.#table.fixedBytes;
  }

  /**
   * Returns the id that is remembered for the position.
   * @param now of a monotonic clock
   * @throws BrokerError `idempotency-key-reused` when another digest is remembered
   */
  recall(position: KeyedPosition, now: number): IdParts | undefined {
    const blocks = this.#blocks;
    const record = this.#table.find(position.name);
    if (record === NONE || blocks.double(record, AT) <= now - this.#ttl) return undefined;
    const [half, otherHalf] = wordsOf(position);
    if (blocks.word(record, DIGEST) !== half || blocks.word(record, DIGEST_END) !== otherHalf)
      throw keyReused();
    return { ms: blocks.double(record, MS), seq: blocks.word(record, SEQ) };
  }

  /** @param now of a monotonic clock */
  set(position: KeyedPosition, { ms, seq }: IdParts, now: number): void {
    const blocks = this.#blocks;
    const known = this.#table.find(position.name);
    if (known !== NONE) this.#remove(known);
    const record = this.#table.add(position.name);
    const [half, otherHalf] = wordsOf(position);
    blocks.setWord(record, SEQ, seq);
    blocks.setDouble(record, AT, now);
    blocks.setDouble(record, MS, ms);
    blocks.setWord(record, DIGEST, half);
    blocks.setWord(record, DIGEST_END, otherHalf);
    this.#order.add(record);
    this.#bytes += this.#table.cost(record);
    while (this.#bytes > this.#limit && this.forgetOldest());
  }

  /** Returns false when there is no key. */
  forgetOldest(): boolean {
    return this.#forgetOldest(Infinity);
  }

  /** Forgets one key that has expired. Returns false when there is none. */
  forgetExpired(now: number): boolean {
    return this.#forgetOldest(now - this.#ttl);
  }

  #forgetOldest(cutoff: number): boolean {
    const { oldest } = this.#order;
    if (oldest === NONE || this.#blocks.double(oldest, AT) > cutoff) return false;
    this.#remove(oldest);
    return true;
  }

  #remove(record: number): void {
    this.#order.remove(record);
    this.#bytes -= this.#table.cost(record);
    this.#table.remove(record);
  }
}

function wordsOf({ digest }: KeyedPosition): [half: number, otherHalf: number] {
  return [Number.parseInt(digest.slice(0, WORD_DIGITS), 16), Number.parseInt(digest.slice(WORD_DIGITS), 16)];
}
