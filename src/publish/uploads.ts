import { BrokerError } from '../events/errors.ts';
import type { Upload } from './upload.ts';

/** The largest number of uploads at the same time. */
const MAX_UPLOADS = 5_000;
/** Uploads that hold less do not count towards {@link MAX_HELD_BYTES}, and are never stopped for it. In bytes. */
const FREE_BYTES = 256 * 1024;
/** The memory of all events that are larger than {@link FREE_BYTES} and have not arrived completely, in bytes. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;

/** The uploads that arrive now. */
export class Uploads {
  /** With the bytes that each upload holds and that count. */
  readonly #open = new Map<Upload, number>();
  #held = 0;
  #draining = false;
  #onEmpty: () => void = () => undefined;

  add(upload: Upload): void {
    if (this.#draining) upload.stop(shuttingDown());
    else if (this.#open.size >= MAX_UPLOADS)
      upload.stop(tooMany(`More than ${MAX_UPLOADS} uploads arrive at this replica.`));
    this.#open.set(upload, 0);
    upload.onHeld = () => this.#count(upload);
    const over = (): void => {
      this.#held -= this.#open.get(upload) ?? 0;
      this.#open.delete(upload);
      if (this.#open.size === 0) this.#onEmpty();
    };
    upload.result.then(over, over);
  }

  /** Lets uploads finish within `window` ms, and then stops them. Resolves when there are none left. */
  async drain(window: number): Promise<void> {
    this.#draining = true;
    if (this.#open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(() => {
      for (const upload of this.#open.keys()) upload.stop(shuttingDown());
    }, window);
    await promise;
    clearTimeout(timer);
  }

  #count(upload: Upload): void {
    const before = this.#open.get(upload);
    const held = upload.held > FREE_BYTES ? upload.held : 0;
    if (before === undefined || held === before) return;
    this.#open.set(upload, held);
    this.#held += held - before;
    if (held > before && this.#held > MAX_HELD_BYTES)
      upload.stop(tooMany('The large events that arrive at this replica take too much memory.'));
  }
}

function tooMany(why: string): BrokerError {
  return new BrokerError(
    'log-unavailable',
    `${why} Send the whole upload again later, with the same Idempotency-Key.`,
  );
}

function shuttingDown(): BrokerError {
  return new BrokerError(
    'log-unavailable',
    'This replica is shutting down. Send the whole upload again, with the same Idempotency-Key.',
  );
}
