import type { EventId } from '../events/event.ts';
import type { SharedPage } from './shared-page.ts';
import type { RecentBudget } from './recent-events.ts';
import type { Retention } from './retention.ts';

/** The largest number of kept pages of a channel. */
const MAX_KEPT = 8;
/** How long pages are kept, in ms. Subscribers that have lost their replica reconnect within seconds. */
export const KEPT_FOR_MS = 2_000;

interface KeptPage {
  readonly page: SharedPage;
  /** The number of the last question before the read. Says whether the read began before or after a subscriber came. */
  readonly turn: number;
  /** How many events the channel had taken in when the read began. */
  readonly taken: number;
  readonly size: number;
}

/** The pages that were read from the log in the last seconds. */
export class KeptPages {
  readonly #budget: RecentBudget;
  readonly #retention: Retention;
  #kept: KeptPage[] = [];

  constructor(budget: RecentBudget, retention: Retention) {
    this.#budget = budget;
    this.#retention = retention;
  }

  get empty(): boolean {
    return this.#kept.length === 0;
  }

  /** Returns the page for a subscriber at `position` that came at `turn`, if a kept page has it and the log still keeps it. */
  answerTo(position: EventId, turn: number): SharedPage | undefined {
    for (const [index, kept] of this.#kept.entries()) {
      const fresh = kept.turn >= turn;
      const answer = kept.page.answerTo(position, fresh);
      if (answer === undefined || !(fresh || this.#stillKept(kept, answer))) continue;
      // Moves the page to the end: the page that was not used for longest is dropped first.
      this.#kept.splice(index, 1);
      this.#kept.push(kept);
      return answer;
    }
    return undefined;
  }

  /** Keeps the page. Returns false when there is no room for it. */
  keep(page: SharedPage, turn: number, taken: number): boolean {
    const { size } = page;
    if (this.#budget.used + size > this.#budget.limit) return false;
    if (this.#kept.length === MAX_KEPT) this.#drop(this.#kept.shift());
    this.#kept.push({ page, turn, taken, size });
    this.#budget.used += size;
    return true;
  }

  forget(): void {
    for (const kept of this.#kept) this.#drop(kept);
    this.#kept = [];
  }

  /** Whether the log still keeps the first event of the answer. */
  #stillKept({ taken }: KeptPage, { events: [first], room }: SharedPage): boolean {
    if (first === undefined) return true;
    return this.#retention.taken - taken <= room && !this.#retention.expired(first.id);
  }

  #drop(kept: KeptPage | undefined): void {
    if (kept !== undefined) this.#budget.used -= kept.size;
  }
}
