import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlBus } from '../core/control-bus.ts';
import { revocationKey } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';
import type { Revocations } from './revocations.ts';

export interface RevocationSyncOptions {
  readonly bus: Pick<ControlBus, 'revocations' | 'restore'>;
  readonly revocations: Revocations;
  /** Called when the shared list held revocations that this replica did not know. */
  readonly onLearned: () => void;
}

/** How often the whole list is compared, and expired revocations are removed. */
const INTERVAL_MS = 60_000;
/** How long to wait after the list could not be read. */
const RETRY_DELAY_MS = 1_000;
const RESTORE_BATCH_ITEMS = 500;
/** How many revocations are visited in one turn of the event loop. */
const SLICE_ITEMS = 5_000;

/**
 * Keeps this replica's revocations equal to the shared list. Announced revocations are added elsewhere, as they arrive. This
 * class reads the whole list whenever an announcement may have been lost. It puts back what the shared list has lost and this
 * replica still knows.
 */
export class RevocationSync {
  readonly #options: RevocationSyncOptions;
  readonly #timer: NodeJS.Timeout;
  #retry: NodeJS.Timeout | undefined;
  #running = false;
  #again = false;
  #closed = false;

  constructor(options: RevocationSyncOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.start(), INTERVAL_MS * (0.9 + Math.random() / 5));
    this.#timer.unref();
  }

  /** Starts a comparison. When one is running, another starts after it. */
  start(): void {
    if (this.#closed) return;
    clearTimeout(this.#retry);
    this.#again = this.#running;
    if (this.#running) return;
    this.#running = true;
    void this.#compare().then((done) => {
      this.#running = false;
      if (this.#closed) return;
      if (this.#again) this.start();
      else if (!done) this.#retry = setTimeout(() => this.start(), RETRY_DELAY_MS).unref();
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
  }

  /** Returns false when the list could not be read to its end. Keeps what was read before the error. */
  async #compare(): Promise<boolean> {
    const { bus, revocations, onLearned } = this.#options;
    const shared = new Set<string>();
    let learned = false;
    let done = false;
    revocations.sweep();
    try {
      for await (const page of bus.revocations()) {
        for (const revocation of page) {
          shared.add(revocationKey(revocation));
          if (revocations.add(revocation)) learned = true;
        }
        // The list in memory gives its pages without waiting, so this loop has to yield by itself.
        await nextTurn();
      }
      await this.#putBack(shared);
      done = true;
    } catch {
      // Redis is down, which its monitor logs; or the list is full, which the next revocation request is answered with.
    }
    if (learned) onLearned();
    return done;
  }

  async #putBack(shared: ReadonlySet<string>): Promise<void> {
    const { bus, revocations } = this.#options;
    let lost: Revocation[] = [];
    let visited = 0;
    for (const revocation of revocations.all()) {
      if (!shared.has(revocationKey(revocation))) lost.push(revocation);
      if (lost.length === RESTORE_BATCH_ITEMS) {
        await bus.restore(lost);
        lost = [];
      } else if (++visited % SLICE_ITEMS === 0) await nextTurn();
    }
    if (lost.length > 0) await bus.restore(lost);
  }
}
