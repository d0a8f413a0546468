import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlBus } from './control-bus.ts';
import { revocationKey } from './revocation.ts';
import type { Revocation } from './revocation.ts';
import type { Revocations } from './revocations.ts';

export interface RevocationSyncOptions {
  readonly bus: Pick<ControlBus, 'revocations' | 'restore'>;
  readonly revocations: Revocations;
  /** Called when revocations were found of which this replica had not heard. */
  readonly onLearned: () => void;
}

/** Between two comparisons of the whole list, in ms, which also forget expired revocations. */
const COMPARE_INTERVAL_MS = 60_000;
/** Before a comparison that failed is tried again, in ms. */
const RETRY_MS = 1_000;
/** Revocations that are put back in one call. */
const RESTORE_BATCH = 500;
/** Revocations that are compared in one turn of the event loop. */
const COMPARED_PER_TURN = 5_000;

/**
 * Keeps this replica's revocations equal to the shared list. Reads the whole list whenever a revocation may have gone
 * unheard; commands bring the others. Puts back revocations that the list has lost and this replica still has.
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
    this.#timer = setInterval(() => this.start(), COMPARE_INTERVAL_MS * (0.9 + Math.random() / 5));
    this.#timer.unref();
  }

  /** Compares the lists. Called during a comparison, it makes another one follow. */
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
      else if (!done) this.#retry = setTimeout(() => this.start(), RETRY_MS).unref();
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
  }

  /** Gives false when the list could not be read to its end; the pages that were read count all the same. */
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
        // The pages of a list in this process come without a turn of the event loop in between.
        await nextTurn();
      }
      await this.#putBack(shared);
      done = true;
    } catch {
      // Redis is away, which its monitor reports; or the list is full, which whoever revokes gets as an error.
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
      if (lost.length === RESTORE_BATCH) {
        await bus.restore(lost);
        lost = [];
      } else if (++visited % COMPARED_PER_TURN === 0) await nextTurn();
    }
    if (lost.length > 0) await bus.restore(lost);
  }
}
