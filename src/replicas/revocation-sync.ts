import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlBus } from './control-bus.ts';
import { revocationKey } from './revocation.ts';
import type { Revocation } from './revocation.ts';
import type { Revocations } from './revocations.ts';

export interface RevocationSyncOptions {
  readonly bus: Pick<ControlBus, 'revocations' | 'restore'>;
  readonly revocations: Revocations;
  /** Called when the shared list had revocations that this replica did not know. */
  readonly onLearned: () => void;
}

/** Between two comparisons of the whole list, in ms. A comparison also removes expired revocations. */
const COMPARE_INTERVAL_MS = 60_000;
/** How long after a failed comparison the next one begins, in ms. */
const RETRY_MS = 1_000;
/** The number of revocations that one call restores. */
const RESTORE_BATCH = 500;
/** The number of revocations that one turn of the event loop compares. */
const COMPARED_PER_TURN = 5_000;

/**
 * Keeps this replica's revocations equal to the shared list. New revocations arrive with commands. When a command may have
 * been lost, this class reads the whole list. It also restores revocations that the shared list has lost and this replica
 * still has.
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

  /** Starts a comparison of the lists. During a comparison, schedules another one after it. */
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

  /** Returns false when the list could not be read to its end. The pages that were read have been added. */
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
        // MemoryControlBus yields its pages without a turn of the event loop between them.
        await nextTurn();
      }
      await this.#putBack(shared);
      done = true;
    } catch {
      // Either Redis is away, and the monitor reports it; or the list is full, and the next revocation gets an error.
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
