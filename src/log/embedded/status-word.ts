import type { BlockStore } from './block-store.ts';

/** What a channel's tail is: an event after which more may come, the end of the channel, or the event `sluice:cleared`. */
export type TailMark = (typeof MARKS)[number];

const MARKS = ['open', 'ended', 'cleared'] as const;
/**
 * The word's lowest two bits hold the index of the mark. The next bit says whether the channel has a state. The other bits hold
 * the number of cleared events.
 */
const MARK_MASK = 3;
const STATE_BIT = 4;
const CLEARED_SHIFT = 3;

/**
 * A word of a channel's record: the mark of the tail, whether the log keeps a state of the channel (the newest event of each key),
 * and how many of the oldest events are cleared but not dropped yet.
 */
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

  hasLatest(channel: number): boolean {
    return (this.#word(channel) & STATE_BIT) !== 0;
  }

  setHasLatest(channel: number, hasLatest: boolean): void {
    const word = this.#word(channel);
    this.#set(channel, hasLatest ? word | STATE_BIT : word & ~STATE_BIT);
  }

  cleared(channel: number): number {
    return this.#word(channel) >>> CLEARED_SHIFT;
  }

  setCleared(channel: number, count: number): void {
    this.#set(channel, (count << CLEARED_SHIFT) | (this.#word(channel) & (MARK_MASK | STATE_BIT)));
  }

  #word(channel: number): number {
    return this.#blocks.word(channel, this.#index);
  }

  #set(channel: number, word: number): void {
    this.#blocks.setWord(channel, this.#index, word);
  }
}
