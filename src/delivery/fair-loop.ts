/** Work that may take long and can be done in slices. */
export interface FairTask {
  /** Works until it is done, or until `until` (ms, `performance.now()`). Returns true when there is more to do. */
  run(until: number): boolean;
}

/** How long one slice may hold the event loop, in ms. */
const SLICE_MS = 8;
/** How long the openings of one turn may hold the event loop after the slice, in ms. */
const OPENING_MS = 2;
/** So many new openings in one turn of the event loop are a crowd: more clients wait to be accepted. */
const CROWD = 8;
/** How long openings wait in a crowd, in ms. */
const CROWD_PAUSE_MS = 10;
/** The largest number of steps that follow an opening at once. */
const MAX_STEPS = 8;

/**
 * Runs long work in slices. Between two slices sockets are read, health checks are answered and timers fire. Tasks take
 * turns. A task that is added while a slice runs waits for the next turn of the event loop, so that the fan-out can join
 * the events of one turn into one write.
 *
 * Openings of streams run after all tasks of a turn, so thousands of clients that connect at once do not hold up deliveries. While
 * a crowd arrives, openings run only from time to time. In each turn of the event loop few connections are accepted, and a short
 * turn means that no client, nor a health check, waits long to be accepted.
 */
export class FairLoop {
  readonly #tasks = new TaskQueue();
  readonly #openings = new TaskQueue();
  /** What the opening that runs now has added for itself. */
  readonly #steps: FairTask[] = [];
  #opening = false;
  /** The number of openings that were added since the last slice. */
  #arrived = 0;
  /** When openings ran last. */
  #openedAt = 0;
  #scheduled = false;

  add(task: FairTask): void {
    this.#tasks.add(task);
    this.#schedule();
  }

  /** Adds the opening of a stream. */
  addOpening(task: FairTask): void {
    this.#arrived++;
    this.#openings.add(task);
    this.#schedule();
  }

  /**
   * Adds a step of a stream. The first steps of a stream follow its opening at once, so that its head and its first events leave
   * in one write.
   */
  addStep(task: FairTask): void {
    if (this.#opening && this.#steps.length < MAX_STEPS) this.#steps.push(task);
    else this.add(task);
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
    this.#tasks.turn();
    for (let task = this.#tasks.take(); task !== undefined; task = this.#tasks.take()) {
      if (task.run(until)) this.#tasks.add(task);
      if (performance.now() >= until) break;
    }
    if (!this.#openings.empty) this.#open();
    this.#arrived = 0;
    if (!this.#tasks.empty || !this.#openings.empty) this.#schedule();
  };

  #open(): void {
    const now = performance.now();
    if (this.#arrived >= CROWD && now < this.#openedAt + CROWD_PAUSE_MS) return;
    const until = now + OPENING_MS;
    this.#openings.turn();
    for (let task = this.#openings.take(); task !== undefined; task = this.#openings.take()) {
      this.#opening = true;
      if (task.run(until)) this.#openings.add(task);
      for (const step of this.#steps) if (step.run(until)) this.#tasks.add(step);
      this.#opening = false;
      this.#steps.length = 0;
      if (performance.now() >= until) break;
    }
    this.#openedAt = performance.now();
  }
}

/** Tasks in the order in which they came. */
class TaskQueue {
  #waiting: FairTask[] = [];
  #running: FairTask[] = [];
  #next = 0;

  get empty(): boolean {
    return this.#next >= this.#running.length && this.#waiting.length === 0;
  }

  add(task: FairTask): void {
    this.#waiting.push(task);
  }

  /** Lets {@link take} return the tasks that were added up to now, once it has returned all earlier ones. */
  turn(): void {
    if (this.#next < this.#running.length) return;
    const done = this.#running;
    done.length = 0;
    this.#running = this.#waiting;
    this.#waiting = done;
    this.#next = 0;
  }

  take(): FairTask | undefined {
    return this.#next < this.#running.length ? this.#running[this.#next++] : undefined;
  }
}
