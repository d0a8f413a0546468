import type { EventId } from '../events/event.ts';
import type { LatestCursor, LatestLimits } from '../log/event-log.ts';
import type { FairTask } from './fair-loop.ts';
import { KEPT_FOR_MS } from './kept-pages.ts';
import type { ReadContext, Withdraw } from './channel-context.ts';
import { PatientReads } from './patient-reads.ts';
import { StatePage } from './state-page.ts';

const PAGE: LatestLimits = { limit: 256, maxBytes: 256 * 1024 };
/** The largest number of kept pages of a channel. With small events, this is the state of a channel with 10,000 keys and more. */
const MAX_KEPT = 64;

export interface LatestConsumer {
  /** Whether the subscriber can go on from this tail without asking the log. */
  leadsOnFrom(tail: EventId): boolean;
  onStatePage(page: StatePage): void;
  /** The log could not be read. The reader tries again. */
  onTrouble(error: unknown): void;
}

/** Subscribers that wait for the same page. */
interface Question {
  readonly after: LatestCursor | undefined;
  readonly consumers: Set<LatestConsumer>;
}

/**
 * Reads the state of one channel for many subscribers, one page at a time, in the order of the questions. Subscribers that come
 * together share the first page, and therefore all pages. A read that fails is repeated until the log answers.
 */
export class LatestReader implements FairTask {
  readonly #options: ReadContext;
  readonly #reads: PatientReads;
  /** The questions that are not being read, by {@link keyOf}. The map keeps the order in which the questions came. */
  readonly #questions = new Map<string, Question>();
  /** The pages that were read in the last seconds, by {@link keyOf} their question. The oldest is first. */
  readonly #kept = new Map<string, StatePage>();
  /** The question that is being read. */
  #asked: Question | undefined;
  /** How often the pages were forgotten. */
  #forgotten = 0;
  #scheduled = false;

  constructor(options: ReadContext) {
    this.#options = options;
    this.#reads = new PatientReads((error) => {
      options.onFailed(error);
      for (const { consumers } of [...this.#questions.values(), ...(this.#asked ? [this.#asked] : [])])
        for (const consumer of consumers) consumer.onTrouble(error);
    });
  }

  /**
   * Returns a page that is in memory. A first page is returned only while its subscriber can go on from the page's tail: otherwise
   * the log might have dropped the events after that tail.
   */
  kept(after: LatestCursor | undefined, consumer: LatestConsumer): StatePage | undefined {
    const page = this.#kept.get(keyOf(after));
    if (page === undefined || after !== undefined) return page;
    return consumer.leadsOnFrom(page.upTo) ? page : undefined;
  }

  /** Gives the consumer the page from the log. For a first page, the log is read after this call. The page never comes before this returns. */
  read(after: LatestCursor | undefined, consumer: LatestConsumer): Withdraw {
    const key = keyOf(after);
    // A later page is the same whenever it is read. A first page has to be read after this call.
    const asked = after !== undefined && this.#asked !== undefined && keyOf(this.#asked.after) === key;
    let question = asked ? this.#asked : this.#questions.get(key);
    if (question === undefined) {
      question = { after, consumers: new Set() };
      this.#questions.set(key, question);
      this.#schedule();
    }
    const { consumers } = question;
    consumers.add(consumer);
    return () => {
      consumers.delete(consumer);
      if (consumers.size === 0 && this.#questions.get(key) === question) this.#questions.delete(key);
    };
  }

  /** Drops all kept pages, also that of the read under way: it is read again. */
  forget(): void {
    this.#forgotten++;
    this.#dropKept();
  }

  stop(): void {
    this.#reads.stop();
    this.#questions.clear();
    this.#asked = undefined;
    this.forget();
  }

  /** Asks the log the oldest question. Runs in a later turn than the question, so that those who come together share the page. */
  run(): boolean {
    this.#scheduled = false;
    const [next] = this.#questions;
    if (this.#asked !== undefined || next === undefined) return false;
    this.#questions.delete(next[0]);
    this.#ask(next[1]);
    return false;
  }

  #schedule(): void {
    if (this.#scheduled || this.#asked !== undefined) return;
    this.#scheduled = true;
    this.#options.loop.add(this);
  }

  #ask(question: Question): void {
    const { log, channel } = this.#options;
    const { after, consumers } = question;
    this.#asked = question;
    let forgotten = 0;
    this.#reads.ask(
      () => {
        // Set again at each attempt, because the answer is as old as its attempt.
        forgotten = this.#forgotten;
        return log.readLatest(channel, after, PAGE);
      },
      (answer) => {
        if (forgotten !== this.#forgotten) {
          this.#ask(question);
          return;
        }
        this.#asked = undefined;
        const page = new StatePage(after, answer);
        this.#keep(keyOf(after), page);
        for (const consumer of consumers) consumer.onStatePage(page);
        if (this.#questions.size > 0) this.#schedule();
      },
    );
  }

  #dropKept(): void {
    for (const { size } of this.#kept.values()) this.#options.budget.used -= size;
    this.#kept.clear();
  }

  #keep(key: string, page: StatePage): void {
    const { budget } = this.#options;
    const drop = (oldKey: string, { size }: StatePage): void => {
      this.#kept.delete(oldKey);
      budget.used -= size;
    };
    const before = this.#kept.get(key);
    if (before !== undefined) drop(key, before);
    if (budget.used + page.size > budget.limit) return;
    if (this.#kept.size === 0) this.#reads.after(KEPT_FOR_MS, () => this.#dropKept());
    const [oldest] = this.#kept;
    if (this.#kept.size === MAX_KEPT && oldest !== undefined) drop(...oldest);
    this.#kept.set(key, page);
    budget.used += page.size;
  }
}

/** Pages with the same key are pages of the same question. */
function keyOf(after: LatestCursor | undefined): string {
  return after === undefined ? '' : `${after.upTo} ${after.place}`;
}
