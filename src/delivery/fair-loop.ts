/** Work that may take long and can be done in slices. */
export interface FairTask {
  /** Works until it is done, or until `until` (ms, `performance.now()`). Returns true when there is more to do. */
  run(until: number): boolean;
}

/** How long one slice may hold the event loop, in ms. */
const SLICE_MS = 8;

/**
 * Runs long work in slices. Between two slices sockets are read, health checks are answered and timers fire. Tasks take
 * turns. A task that is added while a slice runs waits for the next turn of the event loop, so that the fan-out can join
 * the events of one turn into one write.
 */
export class FairLoop {
  #waiting: FairTask[] = [];
  #running: FairTask[] = [];
  #next = 0;
  #scheduled = false;

  add(task: FairTask): void {
    this.#waiting.push(task);
    this.#schedule();
  }

  /**
   * Does a piece of work of some ms as one task, so that many such pieces are spread over turns of the event loop.
   * Rejects with what the work throws.
   */
  inTurn<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.add({
        run: () => {
          // `Promise.try` is not in Node 22.
          resolve(new Promise<T>((settle) => settle(work())));
          return false;
        },
      });
    });
  }

  /** Calls the function for each item, in slices. Items that are added in the meantime may be visited, too. */
  forEach<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
    const all = items[Symbol.iterator]();
    return new Promise((resolve) => {
      this.add({
        run: (until) => {
          let visited = 0;
          for (let next = all.next(); next.done !== true; next = all.next()) {
            visit(next.value);
            if ((++visited & 63) === 0 && performance.now() >= until) return true;
          }
          resolve();
          return false;
        },
      });
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#slice);
  }

  readonly #slice = (): void => {
    this.#scheduled = false;
    const until = performance.now() + SLICE_MS;
    if (this.#next >= this.#running.length) {
      const done = this.#running;
      done.length = 0;
      this.#running = this.#waiting;
      this.#waiting = done;
      this.#next = 0;
    }
    while (this.#next < this.#running.length) {
      const task = this.#running[this.#next++];
      if (task?.run(until)) this.#waiting.push(task);
      if (performance.now() >= until) break;
    }
    if (this.#next < this.#running.length || this.#waiting.length > 0) this.#schedule();
  };
}
