import type { FairLoop } from '../delivery/fair-loop.ts';

/** A body of this size takes about a millisecond to read, whatever it holds. */
const LARGE_BYTES = 64 * 1024;

/**
 * Reads large bodies one after the other in the slices of the loop, so that many large bodies that arrive in one turn of
 * the event loop do not hold it. A later body on the same connection waits for the earlier one, however small it is, so
 * that pipelined events keep their order.
 */
export class LargeBodies {
  readonly #loop: Pick<FairLoop, 'inTurn'>;
  /** The number of bodies that wait, by connection. */
  readonly #waiting = new WeakMap<object, number>();

  constructor(loop: Pick<FairLoop, 'inTurn'>) {
    this.#loop = loop;
  }

  /** Gives the result of `work`; a promise only when the body has to wait. */
  read<T>(connection: object, length: number, work: () => T): T | Promise<T> {
    const before = this.#waiting.get(connection) ?? 0;
    if (length < LARGE_BYTES && before === 0) return work();
    this.#waiting.set(connection, before + 1);
    return this.#loop.inTurn(work).finally(() => {
      this.#waiting.set(connection, (this.#waiting.get(connection) ?? 1) - 1);
    });
  }
}
