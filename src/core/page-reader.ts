import type { ChannelName } from './channel-name.ts';
import type { EventLog } from './event-log.ts';
import { compareEventIds } from './event.ts';
import type { EventId } from './event.ts';
import { SharedPage } from './log-page.ts';
import type { RecentBudget } from './recent-events.ts';

/** Events a page holds at most. */
const PAGE_LIMIT = 256;
/** Reads of one channel that may be under way at once. */
const MAX_READS = 1;
/** Pages kept for others who may come for them, and for how long, in ms: those who lost a replica come within seconds. */
const MAX_KEPT = 8;
const KEPT_FOR = 2_000;
const FIRST_RETRY = 100;
const LAST_RETRY = 2_000;

/** A page that was read a moment ago, and what it was read for. */
interface KeptPage {
  readonly after: EventId;
  readonly page: SharedPage;
}

export interface PageConsumer {
  onPage(page: SharedPage): void;
}

/**
 * Reads one channel's log for many at once: those who wait for the same page share one read, those whose position is
 * that of a page that arrived a moment ago, or lies inside it, are served from it, and a log that is away is asked again
 * until it answers.
 */
export class PageReader {
  readonly #log: EventLog;
  readonly #channel: ChannelName;
  readonly #waiting = new Map<EventId, PageConsumer[]>();
  #inFlight = 0;
  #queue: EventId[] = [];
  #kept: KeptPage[] = [];
  readonly #budget: RecentBudget;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(log: EventLog, channel: ChannelName, budget: RecentBudget) {
    this.#budget = budget;
    this.#log = log;
    this.#channel = channel;
  }

  /** Hands the consumer the page after `after`: at once, when it was read a moment ago, or once the log has given it. */
  read(after: EventId, consumer: PageConsumer): void {
    const others = this.#waiting.get(after);
    if (others !== undefined) {
      others.push(consumer);
      return;
    }
    this.#waiting.set(after, [consumer]);
    this.#queue.push(after);
    this.#pump();
  }

  /**
   * The same, asked of the log now: what others have asked, or were told a moment ago, may be older than what made the
   * caller ask.
   */
  readAnew(after: EventId, consumer: PageConsumer): void {
    this.#patiently(
      () => this.#log.read(this.#channel, after, PAGE_LIMIT),
      (page) => consumer.onPage(new SharedPage(page)),
    );
  }

  /** Hands over the id after which the newest `count` events lie. */
  rewind(count: number, found: (after: EventId) => void): void {
    this.#patiently(() => this.#log.rewind(this.#channel, count), found);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#queue = [];
    this.#forget();
  }

  #pump(): void {
    this.#queue = this.#queue.filter((after) => {
      const kept = this.#fromKept(after);
      if (kept !== undefined) this.#hand(after, kept);
      return kept === undefined;
    });
    while (this.#inFlight < MAX_READS && this.#queue.length > 0) {
      const after = this.#takeOldest();
      this.#inFlight++;
      this.#patiently(
        () => this.#log.read(this.#channel, after, PAGE_LIMIT),
        (answer) => {
          this.#inFlight--;
          const page = new SharedPage(answer);
          this.#keep({ after, page });
          this.#hand(after, page);
          this.#pump();
        },
      );
    }
  }

  /** The page of whoever is furthest behind has the most others inside it. */
  #takeOldest(): EventId {
    const oldest = this.#queue.reduce((a, b) => (compareEventIds(a, b) <= 0 ? a : b));
    this.#queue = this.#queue.filter((after) => after !== oldest);
    return oldest;
  }

  #hand(after: EventId, page: SharedPage): void {
    const consumers = this.#waiting.get(after) ?? [];
    this.#waiting.delete(after);
    for (const consumer of consumers) consumer.onPage(page);
  }

  #fromKept(after: EventId): SharedPage | undefined {
    for (const kept of this.#kept) {
      const rest = kept.after === after ? kept.page : kept.page.from(after);
      if (rest) return rest;
    }
    return undefined;
  }

  #keep(kept: KeptPage): void {
    const { page } = kept;
    // A single event is nothing to share, and an empty page says what was true only then.
    if (page.events.length < 2 || this.#kept.some(({ after }) => after === kept.after)) return;
    if (this.#budget.used + page.size > this.#budget.limit) return;
    if (this.#kept.length === 0) this.#after(KEPT_FOR, () => this.#forget());
    if (this.#kept.length === MAX_KEPT) this.#drop(this.#kept.shift());
    this.#kept.push(kept);
    this.#budget.used += page.size;
  }

  #forget(): void {
    for (const kept of this.#kept) this.#drop(kept);
    this.#kept = [];
  }

  #drop(kept: KeptPage | undefined): void {
    if (kept !== undefined) this.#budget.used -= kept.page.size;
  }

  #after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }

  /** The patient side of law 7: outward a missing log is an error at once, inward it is a matter of waiting. */
  #patiently<T>(ask: () => Promise<T>, found: (answer: T) => void, delay = FIRST_RETRY): void {
    ask().then(
      (answer) => {
        if (!this.#stopped) found(answer);
      },
      () => {
        if (this.#stopped) return;
        this.#after(delay * (0.5 + Math.random()), () =>
          this.#patiently(ask, found, Math.min(delay * 2, LAST_RETRY)),
        );
      },
    );
  }
}
