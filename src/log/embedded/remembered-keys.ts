import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import type { IdParts } from './id-parts.ts';
import { RecordOrder } from './record-order.ts';
import { TextTable } from './text-table.ts';

/** These words follow those of the table and the order. A double is as long as two words. */
const SEQ = 5;
const AT = 3;
const MS = 4;
const HEAD = 40;

/** The id that each idempotency key has led to. When the memory is full, the oldest key is forgotten first. */
export class RememberedKeys {
  readonly #blocks: BlockStore;
  readonly #limit: number;
  readonly #table: TextTable;
  readonly #order: RecordOrder;
  #bytes = 0;

  /** @param limit the memory of all keys together, in bytes */
  constructor(blocks: BlockStore, limit: number) {
    this.#blocks = blocks;
    this.#limit = limit;
    this.#table = new TextTable(blocks, HEAD, limit / blocks.cost(HEAD));
    this.#order = new RecordOrder(blocks);
  }

  /** The memory without any key. */
  get fixedBytes(): number {
    return this.#table.fixedBytes;
  }

  /** Returns the id if it was set after `cutoff`. */
  get(key: string, cutoff: number): IdParts | undefined {
    const record = this.#table.find(key);
    if (record === NONE || this.#blocks.double(record, AT) <= cutoff) return undefined;
    return { ms: this.#blocks.double(record, MS), seq: this.#blocks.word(record, SEQ) };
  }

  /** @param now of a monotonic clock */
  set(key: string, { ms, seq }: IdParts, now: number): void {
    const known = this.#table.find(key);
    if (known !== NONE) this.#remove(known);
    const record = this.#table.add(key);
    this.#blocks.setWord(record, SEQ, seq);
    this.#blocks.setDouble(record, AT, now);
    this.#blocks.setDouble(record, MS, ms);
    this.#order.add(record);
    this.#bytes += this.#table.cost(record);
    while (this.#bytes > this.#limit && this.forgetOldest());
  }

  /** Forgets the oldest key, if it was set up to `cutoff`. Returns false when there is no such key. */
  forgetOldest(cutoff = Infinity): boolean {
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
