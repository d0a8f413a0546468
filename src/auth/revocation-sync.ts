import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ControlBus } from '../core/control-bus.ts';
import { revocationKey } from '../core/revocation.ts';
import type { Revocation } from '../core/revocation.ts';
import type { Revocations } from './revocations.ts';

export interface RevocationSyncOptions {
  readonly bus: Pick<ControlBus, 'revocations' | 'restore'>;
  readonly revocations: Revocations;
  /** Called when revocations were found of which this replica had not heard. */
  readonly onLearned: () => void;
}

/** The whole list is compared so often, whatever was heard, in ms; and expired ones are forgotten. */
const INTERVAL = 60_000;
/** Before the list is asked for again that could not be had, in ms. */
const RETRY = 1_000;
const RESTORE_BATCH = 500;
/** Revocations looked at in one turn of the event loop. */
const SLICE = 5_000;

/**
 * Keeps this replica's revocations equal to the shared ones. What is heard is added as it comes; this reads the whole
 * list whenever something may have gone unheard. What the list has lost and this replica still knows is put back.
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
    this.#timer = setInterval(() => this.start(), INTERVAL * (0.9 + Math.random() / 5));
    this.#timer.unref();
  }

  /** One comparison at a time; asked for during one, there is another after it. */
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
      else if (!done) this.#retry = setTimeout(() => this.start(), RETRY).unref();
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#retry);
  }

  /** False when the list could not be had; what was read of it counts all the same. */
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
        // Where the list is in this process nothing else lets others have their turn.
        await nextTurn();
      }
      await this.#putBack(shared);
      done = true;
    } catch {
      // Redis is away, which its monitor reports, or the list is full, which whoever revokes is told.
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
      } else if (++visited % SLICE === 0) await nextTurn();
    }
    if (lost.length > 0) await bus.restore(lost);
  }
}
