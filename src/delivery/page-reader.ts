import type { ReadContext, Withdraw } from './channel-context.ts';
import { ORIGIN } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairTask } from './fair-loop.ts';
import { KEPT_FOR_MS, KeptPages } from './kept-pages.ts';
import { LatestReader } from './latest-reader.ts';
import { SharedPage } from './shared-page.ts';
import { PatientReads } from './patient-reads.ts';

/** The largest number of events in a page. */
const PAGE_LIMIT = 256;

interface Asker {
  /** The log could not be read. The page reader tries again. */
  onTrouble(error: unknown): void;
}

export interface PageConsumer extends Asker {
  onPage(page: SharedPage): void;
}

export interface RewindConsumer extends Asker {
  onRewound(after: EventId): void;
}

/** Subscribers at the same position that wait for the same page. */
interface Question {
  /** When the first of them came: its number in the order of questions. */
  readonly turn: number;
  readonly consumers: Set<PageConsumer>;
  asked: boolean;
}

/**
 * Reads one channel's log for many subscribers, one page at a time, in the order in which they came. A page that was
 * read a moment ago is given to every subscriber that it answers: a thousand subscribers with a thousand positions
 * before all that is kept, or beyond the tail, cost one read. A read that fails is repeated until the log answers.
 */
export class PageReader implements FairTask {
  readonly #options: ReadContext;
  readonly #reads: PatientReads;
  readonly #kept: KeptPages;
  /** By position. The map keeps the order in which the questions came. */
  readonly #questions = new Map<EventId, Question>();
  readonly #rewinds = new Map<number, Set<RewindConsumer>>();
  /** The last page, while questions wait. It may answer them, even if it is too large for {@link KeptPages}. */
  #latest: { readonly page: SharedPage; readonly turn: number } | undefined;
  /** Made for the first subscriber that wants the state: most channels have none, and there may be many channels. */
  #stateReader: LatestReader | undefined;
  #turn = 0;
  /** How often the pages were forgotten. */
  #forgotten = 0;
  #reading = false;
  /** The `count` of the rewind in progress. */
  #rewinding: number | undefined;
  #pumping = false;

  constructor(options: ReadContext) {
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

  /** Reads the channel's state. */
  get latest(): LatestReader {
    return (this.#stateReader ??= new LatestReader(this.#options));
  }

  /** Gives the consumer the page after `after`, from memory or from the log. The page never comes before this returns. */
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
      // So a connection never has more than one question waiting.
      if (consumers.size === 0 && !question.asked) this.#questions.delete(after);
    };
  }

  /** As {@link read}, but always reads the log: a page in memory may be older than the reason to read. */
  readAnew(after: EventId, consumer: PageConsumer): void {
    const { log, channel, retention } = this.#options;
    this.#reads.ask(
      () => log.read(channel, after, PAGE_LIMIT, retention.policy),
      (page) => consumer.onPage(SharedPage.of(after, page)),
    );
  }

  /** Gives the consumer the id that precedes the newest `wanted` events. Equal counts share one answer. */
  rewind(wanted: number, consumer: RewindConsumer): Withdraw {
    // The channel keeps no more than that.
    const count = Math.min(wanted, this.#options.retention.policy.size);
    const consumers = this.#rewinds.get(count) ?? new Set();
    consumers.add(consumer);
    this.#rewinds.set(count, consumers);
    this.#rewindNext();
    return () => {
      consumers.delete(consumer);
      if (consumers.size === 0 && this.#rewinding !== count) this.#rewinds.delete(count);
    };
  }

  /**
   * Whether the log has to be checked before a reader with this cursor gets events from memory. `0-0` is also the position of a
   * reader that was told that the log has lost the channel. No announcement tells the other replicas, so the events that one of
   * them has in memory may be lost ones, which the reader had before.
   */
  doubts(cursor: EventId, tail: EventId): boolean {
    return cursor === ORIGIN && tail !== ORIGIN && this.#options.log.isOutside;
  }

  /** Drops all kept pages, also those of reads under way: these are read again. The same goes for the state. */
  forget(): void {
    this.#stateReader?.forget();
    this.#forgotten++;
    this.#kept.forget();
    this.#latest = undefined;
  }

  stop(): void {
    this.#stateReader?.stop();
    this.#reads.stop();
    this.#questions.clear();
    this.#rewinds.clear();
    this.forget();
  }

  /** Answers questions from memory until `until`, and asks the log the oldest question that memory cannot answer. */
  run(until: number): boolean {
    this.#pumping = false;
    let visited = 0;
    for (const [after, question] of this.#questions) {
      if (question.asked) continue;
      const known = this.#answerTo(after, question.turn);
      if (known !== undefined) this.#hand(after, known);
      else if (!this.#reading) this.#ask(after, question);
      // A read for another question is in progress.
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
    this.#options.loop.addStep(this);
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
    let forgotten = 0;
    this.#reads.ask(
      () => {
        // Set again at each attempt, because the answer is as old as its attempt.
        turn = this.#turn;
        taken = retention.taken;
        forgotten = this.#forgotten;
        return log.read(channel, after, PAGE_LIMIT, retention.policy);
      },
      (answer) => {
        if (forgotten !== this.#forgotten) {
          this.#ask(after, question);
          return;
        }
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
    const { log, channel, retention } = this.#options;
    this.#reads.ask(
      () => log.rewind(channel, next, retention.policy),
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
