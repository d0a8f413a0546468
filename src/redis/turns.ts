/** Runs at most `limit` tasks at once. The others wait, in order of arrival. */
export class Turns {
  #free: number;
  #waiting: (() => void)[] = [];
  /** The index of the task that has waited longest. */
  #first = 0;

  constructor(limit: number) {
    this.#free = limit;
  }

  async take<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      // Gives the turn to the task that has waited longest, not to a task that begins now.
      const next = this.#next();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  /** Works as `shift`, but a `shift` of a very long array copies the array. */
  #next(): (() => void) | undefined {
    const next = this.#waiting[this.#first];
    if (next === undefined) return undefined;
    this.#first++;
    if (this.#first * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return next;
  }
}
