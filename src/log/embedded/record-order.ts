import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';

/** The words of a record that an order uses. */
const OLDER = 3;
const NEWER = 4;

/** Records in the order in which they were added. Every method takes constant time. */
export class RecordOrder {
  readonly #blocks: BlockStore;
  #oldest = NONE;
  #newest = NONE;
  #count = 0;

  constructor(blocks: BlockStore) {
    this.#blocks = blocks;
  }

  get oldest(): number {
    return this.#oldest;
  }

  get newest(): number {
    return this.#newest;
  }

  /** How many records are in the order. */
  get count(): number {
    return this.#count;
  }

  add(record: number): void {
    this.#count++;
    this.#blocks.setWord(record, OLDER, this.#newest);
    this.#blocks.setWord(record, NEWER, NONE);
    if (this.#newest === NONE) this.#oldest = record;
    else this.#blocks.setWord(this.#newest, NEWER, record);
    this.#newest = record;
  }

  remove(record: number): void {
    this.#count--;
    const older = this.#blocks.word(record, OLDER);
    const newer = this.#blocks.word(record, NEWER);
    if (older === NONE) this.#oldest = newer;
    else this.#blocks.setWord(older, NEWER, newer);
    if (newer === NONE) this.#newest = older;
    else this.#blocks.setWord(newer, OLDER, older);
  }

  /** Moves the oldest record to the end of the order. */
  turn(): void {
    const record = this.#oldest;
    this.remove(record);
    this.add(record);
  }
}
