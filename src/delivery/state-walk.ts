import type { EventRun } from '../events/event-run.ts';
import type { EventId } from '../events/event.ts';
import type { LatestCursor } from '../log/event-log.ts';
import type { LatestConsumer, LatestReader } from './latest-reader.ts';
import type { Withdraw } from './channel-context.ts';
import type { StatePage } from './state-page.ts';

/** The part of a subscription that a walk uses. */
export interface StateOwner {
  /** See {@link LatestConsumer}. */
  leadsOnFrom(tail: EventId): boolean;
  /** Writes a notice that events after `after` are missing. */
  writeGap(after: EventId | null, before: EventId | null): void;
  /** Writes a run, and moves the position to its last event. */
  writeRun(run: EventRun): void;
  /** Queues the next step. */
  schedule(): void;
  onTrouble(error: unknown): void;
}

/** Events were lost after this position; null when the reader's cursor was unreadable. */
export interface Loss {
  readonly after: EventId | null;
}

/** Writes the state of a channel to one subscription, page by page. After a loss, a gap comes first. */
export class StateWalk implements LatestConsumer {
  readonly #latest: LatestReader;
  readonly #owner: StateOwner;
  /** Set until the gap is written. */
  #loss: Loss | undefined;
  /** The runs that are still to be written. A reader that takes nothing does not keep those that are written. */
  #runs: readonly EventRun[] = [];
  /** What comes after the runs. Undefined while the log reads a page. */
  #then: Pick<StatePage, 'upTo' | 'next'> | undefined;
  #withdraw: Withdraw | undefined;

  /** After a loss, the first page is one that is read from the log after the loss. */
  constructor(latest: LatestReader, owner: StateOwner, loss: Loss | undefined) {
    this.#latest = latest;
    this.#owner = owner;
    this.#loss = loss;
    this.#read(undefined);
  }

  /**
   * Writes the next part of the state, if its page is here. Returns the position after the whole state once all is written, and
   * undefined before.
   */
  step(): EventId | undefined {
    if (this.#then === undefined) return undefined;
    const { upTo, next } = this.#then;
    const [run] = this.#runs;
    if (this.#loss !== undefined) {
      const { after } = this.#loss;
      this.#loss = undefined;
      this.#owner.writeGap(after, run?.events[0]?.id ?? null);
      this.#owner.schedule();
    } else if (run !== undefined) {
      this.#runs = this.#runs.slice(1);
      this.#owner.writeRun(run);
      this.#owner.schedule();
    } else if (next !== undefined) {
      this.#read(next);
    } else {
      return upTo;
    }
    return undefined;
  }

  /** Waits for no page any more. */
  end(): void {
    this.#withdraw?.();
  }

  leadsOnFrom(tail: EventId): boolean {
    return this.#owner.leadsOnFrom(tail);
  }

  onStatePage({ runs, upTo, next }: StatePage): void {
    this.#withdraw = undefined;
    this.#runs = runs;
    this.#then = { upTo, next };
    this.#owner.schedule();
  }

  onTrouble(error: unknown): void {
    this.#owner.onTrouble(error);
  }

  #read(after: LatestCursor | undefined): void {
    this.#then = undefined;
    const kept = this.#loss === undefined ? this.#latest.kept(after, this) : undefined;
    if (kept === undefined) this.#withdraw = this.#latest.read(after, this);
    else this.onStatePage(kept);
  }
}
