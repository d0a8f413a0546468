import type { BlockStore } from './block-store.ts';

/** What a channel's tail is: an event after which more may come, the end of the channel, or the event `sluice:cleared`. */
export type TailMark = (typeof MARKS)[number];

const MARKS = ['open', 'ended', 'cleared'] as const;
/** The word's lowest bits hold the index of the mark, and the other bits the number of cleared events. */
const MARK_BITS = 2;
const MARK_MASK = 3;

/** A word of a channel's record: the mark of the tail, and how many of the oldest events are cleared but not dropped yet. */
export class StatusWord {
  readonly #blocks: BlockStore;
  readonly #index: number;

  /** @param index of the word in the record */
  constructor(blocks: BlockStore, index: number) {
    this.#blocks = blocks;
    this.#index = index;
  }

  mark(channel: number): TailMark {
    return MARKS[this.#word(channel) & MARK_MASK] as TailMark;
  }

  setMark(channel: number, mark: TailMark): void {
    this.#set(channel, (this.#word(channel) & ~MARK_MASK) | MARKS.indexOf(mark));
  }

  cleared(channel: number): number {
    return this.#word(channel) >>> MARK_BITS;
  }

  setCleared(channel: number, count: number): void {
    this.#set(channel, (count << MARK_BITS) | (this.#word(channel) & MARK_MASK));
  }

  #word(channel: number): number {
    return this.#blocks.word(channel, this.#index);
  }

  #set(channel: number, word: number): void {
    this.#blocks.setWord(channel, this.#index, word);
  }
}
