import { BrokerError } from '../events/errors.ts';
import type { Upload } from './upload.ts';

/** The uploads that arrive now. */
export class Uploads {
  readonly #open = new Set<Upload>();
  #draining = false;
  #onEmpty: () => void = () => undefined;

  add(upload: Upload): void {
    if (this.#draining) upload.stop(shuttingDown());
    this.#open.add(upload);
    const over = (): void => {
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
      for (const upload of this.#open) upload.stop(shuttingDown());
    }, window);
    await promise;
    clearTimeout(timer);
  }
}

function shuttingDown(): BrokerError {
  return new BrokerError(
    'log-unavailable',
    'This replica is shutting down. Send the whole upload again, with the same Idempotency-Key.',
  );
}
