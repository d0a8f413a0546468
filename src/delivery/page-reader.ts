import type { ChannelName } from '../events/channel-name.ts';
import type { EventLog, HistoryPolicy } from '../log/event-log.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import { KEPT_FOR_MS, KeptPages } from './kept-pages.ts';
import { SharedPage } from './shared-page.ts';
import { PatientReads } from './patient-reads.ts';
import type { RecentBudget } from './recent-events.ts';
import type { Retention } from './retention.ts';

/** Events a page holds at most. */
const PAGE_LIMIT = 256;

interface Asker {
  /** The log could not be read; it is asked again. */
  onTrouble(error: unknown): void;
}

export interface PageConsumer extends Asker {
  onPage(page: SharedPage): void;
}

export interface RewindConsumer extends Asker {
  onRewound(after: EventId): void;
}

/** Takes a question back. Not to be called after the answer. */
export type Withdraw = () => void;

export interface PageReaderOptions {
  readonly log: EventLog;
  readonly channel: ChannelName;
  readonly loop: FairLoop;
  readonly policy: HistoryPolicy;
  readonly budget: RecentBudget;
  readonly retention: Retention;
  /** Called for each read that failed. */
  readonly onFailed: (error: unknown) => void;
}

/** Subscribers at the same position that wait for the same page. */
interface Question {
  /** The place of the first of them in the order of questions. */
  readonly turn: number;
  readonly consumers: Set<PageConsumer>;
  asked: boolean;
}

/**
 * Reads one channel's log for many subscribers, one page at a time, in the order in which they came. A page that was read a
 * moment ago answers every subscriber it can. A thousand subscribers with a thousand positions before all that is kept, or
 * beyond the tail, so cost one read. While the log is away it is asked again until it answers.
 */
export class PageReader implements FairTask {
  readonly #options: PageReaderOptions;
  readonly #reads: PatientReads;
  readonly #kept: KeptPages;
  /** By position, the oldest question first: a map keeps the order in which its keys were added. */
  readonly #questions = new Map<EventId, Question>();
  readonly #rewinds = new Map<number, Set<RewindConsumer>>();
  /** The last page, while questions wait: it may answer them even if it is too large to be kept. */
  #latest: { readonly page: SharedPage; readonly turn: number } | undefined;
  #turn = 0;
  #reading = false;
  /** The `count` of the rewind that the log is asked for now. */
  #rewinding: number | undefined;
  #pumping = false;

  constructor(options: PageReaderOptions) {
    this.#options = options;
    this.#reads = new PatientReads((error) => {
      options.onFailed(error);
      for (const { consumers } of this.#questions.values()) {
        for (const consumer of consumers) consumer.onTrouble(error);
      }
      for (const consumers of this.#rewinds.values()) {
        for (const consumer of consumers) consumer.onTrouble(error);
      }
    });
    this.#kept = new KeptPages(options.budget, options.retention);
  }

  /** Gives the consumer the page after `after`, from memory or from the log. Never before this returns. */
  read(after: EventId, consumer: PageConsumer): Withdraw {
    let question = this.#questions.get(after);
    if (question === undefined) {
      question = { turn: ++this.#turn, consumers: new Set(), asked: false };
      this.#questions.set(after, question);
      this.#pump();
    }
    const { consumers } = question;
    consumers.add(consumer);
    return () => {
      consumers.delete(consumer);
      // One connection can so never have more than one question waiting.
      if (consumers.size === 0 && !question.asked) this.#questions.delete(after);
    };
  }

  /** The same, but always asks the log, now: a page that was read before may be older than the caller's reason to ask. */
  readAnew(after: EventId, consumer: PageConsumer): void {
    const { log, channel, policy } = this.#options;
    this.#reads.ask(
      () => log.read(channel, after, PAGE_LIMIT, policy),
      (page) => consumer.onPage(SharedPage.of(after, page)),
    );
  }

  /** Gives the consumer the id after which the newest `count` events lie. Equal counts share one answer. */
  rewind(count: number, consumer: RewindConsumer): Withdraw {
    const consumers = this.#rewinds.get(count) ?? new Set();
    consumers.add(consumer);
    this.#rewinds.set(count, consumers);
    this.#rewindNext();
    return () => {
      consumers.delete(consumer);
      if (consumers.size === 0 && this.#rewinding !== count) this.#rewinds.delete(count);
    };
  }

  /** Drops the pages that were read before. */
  forget(): void {
    this.#kept.forget();
    this.#latest = undefined;
  }

  stop(): void {
    this.#reads.stop();
    this.#questions.clear();
    this.#rewinds.clear();
    this.forget();
  }

  /** Answers from memory what it can, until the time is over; then asks the log the oldest question that is left. */
  run(until: number): boolean {
    this.#pumping = false;
    let visited = 0;
    for (const [after, question] of this.#questions) {
      if (question.asked) continue;
      const known = this.#answerTo(after, question.turn);
      if (known !== undefined) this.#hand(after, known);
      else if (!this.#reading) this.#ask(after, question);
      // The log is busy with another question.
      else break;
      if ((++visited & 31) === 0 && performance.now() >= until) {
        this.#pumping = true;
        return true;
      }
    }
    if (this.#questions.size === 0) this.#latest = undefined;
    return false;
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    this.#options.loop.add(this);
  }

  #answerTo(position: EventId, turn: number): SharedPage | undefined {
    const latest = this.#latest;
    const fresh = latest !== undefined && latest.turn >= turn;
    return (fresh ? latest.page.answerTo(position, true) : undefined) ?? this.#kept.answerTo(position, turn);
  }

  #ask(after: EventId, question: Question): void {
    const { log, channel, policy, retention } = this.#options;
    question.asked = true;
    this.#reading = true;
    let turn = 0;
    let taken = 0;
    this.#reads.ask(
      () => {
        // Noted anew at each attempt: the answer is as old as the attempt.
        turn = this.#turn;
        taken = retention.taken;
        return log.read(channel, after, PAGE_LIMIT, policy);
      },
      (answer) => {
        this.#reading = false;
        const page = SharedPage.of(after, answer);
        this.#latest = { page, turn };
        if (this.#kept.empty) this.#reads.after(KEPT_FOR_MS, () => this.#kept.forget());
        this.#kept.keep(page, turn, taken);
        this.#hand(after, page);
        if (this.#questions.size > 0) this.#pump();
        else this.#latest = undefined;
      },
    );
  }

  #hand(after: EventId, page: SharedPage): void {
    const consumers = this.#questions.get(after)?.consumers ?? [];
    this.#questions.delete(after);
    for (const consumer of consumers) consumer.onPage(page);
  }

  #rewindNext(): void {
    const [next] = this.#rewinds.keys();
    if (this.#rewinding !== undefined || next === undefined) return;
    this.#rewinding = next;
    const { log, channel, policy } = this.#options;
    this.#reads.ask(
      () => log.rewind(channel, next, policy),
      (after) => {
        this.#rewinding = undefined;
        const consumers = this.#rewinds.get(next) ?? [];
        this.#rewinds.delete(next);
        for (const consumer of consumers) consumer.onRewound(after);
        this.#rewindNext();
      },
    );
  }
}
