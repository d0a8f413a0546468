/**
 * A list whose newest item is at index 0. Takes items at both ends, and gives the oldest away, each in constant time on average.
 *
 * @template T
 */
export class NewestFirst {
  /**
   * The newer items, oldest first.
   *
   * @type {T[]}
   */
  #newer = [];
  /**
   * The older items, newest first.
   *
   * @type {T[]}
   */
  #older = [];

  get length() {
    return this.#newer.length + this.#older.length;
  }

  /** @param {number} index */
  at(index) {
    const newer = this.#newer.length;
    return index < newer ? this.#newer[newer - 1 - index] : this.#older[index - newer];
  }

  /** @param {T} item newer than all others */
  addNewest(item) {
    this.#newer.push(item);
  }

  /** @param {T} item older than all others */
  addOldest(item) {
    this.#older.push(item);
  }

  removeOldest() {
    if (this.#older.length === 0) {
      // Moving all of them at once is rare, and cheap for each.
      for (let item = this.#newer.pop(); item !== undefined; item = this.#newer.pop()) this.#older.push(item);
    }
    return this.#older.pop();
  }

  clear() {
    this.#newer = [];
    this.#older = [];
  }
}
