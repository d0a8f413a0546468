import type { EventId } from '../events/event.ts';
import type { SharedPage } from './shared-page.ts';
import type { RecentBudget } from './recent-events.ts';
import type { Retention } from './retention.ts';

/** Pages kept of a channel. */
const MAX_KEPT = 8;
/** How long pages are kept, in ms: subscribers that have lost their replica come back within seconds. */
export const KEPT_FOR_MS = 2_000;

interface KeptPage {
  readonly page: SharedPage;
  /** Its place in the order of questions: says whether the log was asked before or after a subscriber came. */
  readonly turn: number;
  /** Events that the channel had taken in when the log was asked. */
  readonly taken: number;
  readonly size: number;
}

/** Pages that the log has given a moment ago. */
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

  /** The page for a subscriber at `position` that came at `turn`, if a kept page answers it and is still true. */
  answerTo(position: EventId, turn: number): SharedPage | undefined {
    for (const [index, kept] of this.#kept.entries()) {
      const fresh = kept.turn >= turn;
      const answer = kept.page.answerTo(position, fresh);
      if (answer === undefined || !(fresh || this.#stillKept(kept, answer))) continue;
      // The page that was used last is dropped last.
      this.#kept.splice(index, 1);
      this.#kept.push(kept);
      return answer;
    }
    return undefined;
  }

  /** False when there is no room for it. */
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

  /** Whether the log, asked now, would still give what this answer begins with. */
  #stillKept({ taken }: KeptPage, { events: [first], room }: SharedPage): boolean {
    if (first === undefined) return true;
    return this.#retention.taken - taken <= room && !this.#retention.expired(first.id);
  }

  #drop(kept: KeptPage | undefined): void {
    if (kept !== undefined) this.#budget.used -= kept.size;
  }
}
