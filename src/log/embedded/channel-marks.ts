/** One event in so many is noted down, so that a position is found without walking over all events. */
const MARK_EVERY = 64;

export interface Mark {
  readonly event: number;
  /** How many events the channel had had before this one. */
  readonly ordinal: number;
}

/** Some events of one channel, oldest first. */
export class ChannelMarks {
  #marks: Mark[] = [];
  #first = 0;

  /** Whether the event that so many were before is to be marked. The first ones are not: most channels have few. */
  static due(ordinal: number): boolean {
    return ordinal % MARK_EVERY === MARK_EVERY - 1;
  }

  push(mark: Mark): void {
    this.#marks.push(mark);
  }

  /** The channel's oldest event is dropped. */
  drop(event: number): void {
    if (this.#marks[this.#first]?.event !== event) return;
    this.#first++;
    // Moving what is left costs as much as it saves once half is gone.
    if (this.#first <= 32 || this.#first * 2 <= this.#marks.length) return;
    this.#marks = this.#marks.slice(this.#first);
    this.#first = 0;
  }

  /** The last mark that is not `behind`; all after such a one are, too. */
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
