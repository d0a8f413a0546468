import type { ChannelName } from './channel-name.ts';
import type { EventLog } from './event-log.ts';
import type { EventId } from './event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import { KEPT_FOR, KeptPages } from './kept-pages.ts';
import { SharedPage } from './log-page.ts';
import { PatientReads } from './patient-reads.ts';
import type { RecentBudget } from './recent-events.ts';
import type { Retention } from './retention.ts';

/** Events a page holds at most. */
const PAGE_LIMIT = 256;

interface Asker {
  /** What it waits for cannot be had now, which is tried again. */
  onTrouble(error: unknown): void;
}

export interface PageConsumer extends Asker {
  onPage(page: SharedPage): void;
}

export interface RewindConsumer extends Asker {
  onRewound(after: EventId): void;
}

/** To be called by who has asked and does not want to know any more; not once there is an answer. */
export type Withdraw = () => void;

export interface PageReaderOptions {
  readonly log: EventLog;
  readonly channel: ChannelName;
  readonly loop: FairLoop;
  readonly budget: RecentBudget;
  readonly retention: Retention;
  /** Hears of each attempt to read that came to nothing. */
  readonly onFailed: (error: unknown) => void;
}

/** Those who stand at the same position and wait for the same page. */
interface Question {
  /** When the first of them came, in the order of questions. */
  readonly turn: number;
  readonly consumers: Set<PageConsumer>;
  asked: boolean;
}

/**
 * Reads one channel's log for many at once, one page at a time, in the order in which they came. Everybody whose question
 * a page answers that was read a moment ago is served from it; so a thousand who come with a thousand positions that lie
 * before all that is kept, or beyond the tail, cost one read and not a thousand. A log that is away is asked again until it
 * answers.
 */
export class PageReader implements FairTask {
  readonly #options: PageReaderOptions;
  readonly #reads: PatientReads;
  readonly #kept: KeptPages;
  /** By position, oldest first: a map keeps the order in which its keys were added. */
  readonly #questions = new Map<EventId, Question>();
  readonly #rewinds = new Map<number, Set<RewindConsumer>>();
  /** What was answered last, while somebody waits: it may answer others also where it is too large to be kept. */
  #latest: { readonly page: SharedPage; readonly turn: number } | undefined;
  #turn = 0;
  #reading = false;
  /** How many events it is back to what the log is being asked for. */
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

  /** Hands the consumer the page after `after`: soon, when it was read a moment ago, or once the log has given it. */
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
      // So that nobody can have more asked than they have connections.
      if (consumers.size === 0 && !question.asked) this.#questions.delete(after);
    };
  }

  /**
   * The same, asked of the log now: what others have asked, or were told a moment ago, may be older than what made the
   * caller ask.
   */
  readAnew(after: EventId, consumer: PageConsumer): void {
    const { log, channel } = this.#options;
    this.#reads.ask(
      () => log.read(channel, after, PAGE_LIMIT),
      (page) => consumer.onPage(new SharedPage(after, page)),
    );
  }

  /** Hands over the id after which the newest `count` events lie. Who asks for as many as another gets the same answer. */
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

  /** What was read before this does not count any more. */
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

  /** Answers what can be answered, in slices; then asks the log for the oldest question that is left. */
  run(until: number): boolean {
    this.#pumping = false;
    let visited = 0;
    for (const [after, question] of this.#questions) {
      if (question.asked) continue;
      const known = this.#answerTo(after, question.turn);
      if (known !== undefined) this.#hand(after, known);
      else if (!this.#reading) this.#ask(after, question);
      // Whoever stands behind it waits for its turn.
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
    const { log, channel, retention } = this.#options;
    question.asked = true;
    this.#reading = true;
    let turn = 0;
    let taken = 0;
    this.#reads.ask(
      () => {
        // At each attempt anew: the answer is as old as the question.
        turn = this.#turn;
        taken = retention.taken;
        return log.read(channel, after, PAGE_LIMIT);
      },
      (answer) => {
        this.#reading = false;
        const page = new SharedPage(after, answer);
        this.#latest = { page, turn };
        if (this.#kept.empty) this.#reads.after(KEPT_FOR, () => this.#kept.forget());
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
    const { log, channel } = this.#options;
    this.#reads.ask(
      () => log.rewind(channel, next),
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
