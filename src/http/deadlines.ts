/** How long one sweep may hold the event loop. The rest waits for the next turn. */
const SLICE_MS = 5;

/**
 * Deadlines of many things that all have the same timeout. The map keeps them in the order in which they end. There is no timer
 * for each thing: the owner calls {@link sweep} at an interval, and a late thing is found up to one interval late.
 */
export class Deadlines<Thing> {
  readonly #timeout: number;
  readonly #onLate: (thing: Thing) => void;
  readonly #ends = new Map<Thing, number>();

  /** @param timeout ms */
  constructor(timeout: number, onLate: (thing: Thing) => void) {
    this.#timeout = timeout;
    this.#onLate = onLate;
  }

  /** Starts the timeout of the thing, or starts it again. */
  start(thing: Thing): void {
    this.#ends.delete(thing);
    this.#ends.set(thing, performance.now() + this.#timeout);
  }

  stop(thing: Thing): void {
    this.#ends.delete(thing);
  }

  /** Calls `onLate` for each thing whose timeout is over, and forgets it. */
  sweep(): void {
    const now = performance.now();
    for (const [thing, end] of this.#ends) {
      if (end > now) return;
      if (performance.now() - now > SLICE_MS) {
        setImmediate(() => this.sweep());
        return;
      }
      this.#ends.delete(thing);
      this.#onLate(thing);
    }
  }
}
