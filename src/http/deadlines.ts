/** How long the late ones may hold the event loop, in ms; the others wait for its next turn. */
const PATIENCE = 5;

/**
 * Things that all have the same time, in the order in which it runs out. There is no timer for each: whoever owns this
 * calls {@link look} now and then, and that is how late it may be noticed.
 */
export class Deadlines<Thing> {
  readonly #time: number;
  readonly #onLate: (thing: Thing) => void;
  readonly #ends = new Map<Thing, number>();

  /** @param time ms */
  constructor(time: number, onLate: (thing: Thing) => void) {
    this.#time = time;
    this.#onLate = onLate;
  }

  /** Its time begins now, also when it had begun before. */
  start(thing: Thing): void {
    this.#ends.delete(thing);
    this.#ends.set(thing, performance.now() + this.#time);
  }

  stop(thing: Thing): void {
    this.#ends.delete(thing);
  }

  look(): void {
    const now = performance.now();
    for (const [thing, end] of this.#ends) {
      if (end > now) return;
      if (performance.now() - now > PATIENCE) {
        setImmediate(() => this.look());
        return;
      }
      this.#ends.delete(thing);
      this.#onLate(thing);
    }
  }
}
