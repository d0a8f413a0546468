/** Work that may take long and can be cut into slices. */
export interface FairTask {
  /** Works until done or until `until` (on the `performance.now()` clock); true when there is more to do. */
  run(until: number): boolean;
}

/** How long one slice may hold the event loop, in ms. */
const SLICE = 8;

/**
 * Runs walks over many subscribers in slices, so that sockets are read, health is answered and timers fire in between
 * however many there are. Tasks take turns; a task added while a slice runs waits for the next turn of the event loop,
 * which is what joins the events of one turn into one write.
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
   * Does a piece of work that takes some ms by itself, in its turn: what many ask for at once is spread over turns of the
   * event loop. Rejects with what the work throws.
   */
  inTurn<T>(work: () => T): Promise<T> {
    return new Promise((resolve) => {
      this.add({
        run: () => {
          resolve(Promise.try(work));
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
    const until = performance.now() + SLICE;
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
