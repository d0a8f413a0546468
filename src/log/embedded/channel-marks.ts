/** One of this many events gets a mark, so that a search does not visit all events of a channel. */
const MARK_EVERY = 64;

export interface Mark {
  readonly event: number;
  /** How many events the channel had before this one. */
  readonly ordinal: number;
}

/** The marked events of one channel, oldest first. */
export class ChannelMarks {
  #marks: Mark[] = [];
  #first = 0;

  /** Whether the event with this ordinal gets a mark. The first events get none, because most channels have few events. */
  static due(ordinal: number): boolean {
    return ordinal % MARK_EVERY === MARK_EVERY - 1;
  }

  push(mark: Mark): void {
    this.#marks.push(mark);
  }

  /** To be called when the channel's oldest event is dropped. */
  drop(event: number): void {
    if (this.#marks[this.#first]?.event !== event) return;
    this.#first++;
    // Copies the rest only when half is gone, so that each mark is copied about once.
    if (this.#first <= 32 || this.#first * 2 <= this.#marks.length) return;
    this.#marks = this.#marks.slice(this.#first);
    this.#first = 0;
  }

  /** Returns the last mark that does not satisfy `behind`. All marks after it satisfy `behind`. */
  lastBefore(behind: (mark: Mark) => boolean): Mark | undefined {
    let low = this.#first;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (behind(this.#marks[middle] as Mark)) high = middle;
      else low = middle + 1;
    }
    return low > this.#first ? this.#marks[low - 1] : undefined;
  }
}
