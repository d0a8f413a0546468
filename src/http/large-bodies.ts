import type { FairLoop } from '../core/fair-loop.ts';

/** A body of so many bytes takes about a millisecond to read, whatever is in it. */
const LARGE = 64 * 1024;

/**
 * Reads large bodies each in its turn: many that arrive in one turn of the event loop are not all read in it. What comes
 * behind one on the same connection stays behind it, however small, so that pipelined events keep their order.
 */
export class LargeBodies {
  readonly #loop: Pick<FairLoop, 'inTurn'>;
  /** By connection, how many of its bodies wait for their turn. */
  readonly #waiting = new WeakMap<object, number>();

  constructor(loop: Pick<FairLoop, 'inTurn'>) {
    this.#loop = loop;
  }

  /** What `work` makes of the body; a promise only where it has to wait. */
  read<T>(connection: object, length: number, work: () => T): T | Promise<T> {
    const before = this.#waiting.get(connection) ?? 0;
    if (length < LARGE && before === 0) return work();
    this.#waiting.set(connection, before + 1);
    return this.#loop.inTurn(work).finally(() => {
      this.#waiting.set(connection, (this.#waiting.get(connection) ?? 1) - 1);
    });
  }
}
