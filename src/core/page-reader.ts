import type { ChannelName } from './channel-name.ts';
import type { EventLog } from './event-log.ts';
import type { EventId } from './event.ts';
import { SharedPage } from './log-page.ts';

/** Events a page holds at most. */
const PAGE_LIMIT = 256;
/** Reads of one channel that may be under way at once. */
const MAX_READS = 4;
/** Pages kept for others while reads are under way. */
const MAX_KEPT = 4;
const FIRST_RETRY = 100;
const LAST_RETRY = 2_000;

export interface PageConsumer {
  onPage(page: SharedPage): void;
}

/**
 * Reads one channel's log for many at once: those who wait for the same page share one read, those whose position lies
 * inside a page that has just arrived are served from it, and a log that is away is asked again until it answers.
 */
export class PageReader {
  readonly #log: EventLog;
  readonly #channel: ChannelName;
  readonly #waiting = new Map<EventId, PageConsumer[]>();
  #inFlight = 0;
  #queue: EventId[] = [];
  #kept: SharedPage[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(log: EventLog, channel: ChannelName) {
    this.#log = log;
    this.#channel = channel;
  }

  /** Hands the consumer the page after `after`, once the log has given it; never in the same tick. */
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
    this.#kept = [];
  }

  #pump(): void {
    while (this.#inFlight < MAX_READS) {
      const after = this.#queue.shift();
      if (after === undefined) break;
      this.#inFlight++;
      const kept = this.#fromKept(after);
      this.#patiently(
        () => (kept ? Promise.resolve(kept) : this.#log.read(this.#channel, after, PAGE_LIMIT)),
        (page) => {
          this.#inFlight--;
          this.#arrived(after, page instanceof SharedPage ? page : new SharedPage(page));
        },
      );
    }
    if (this.#inFlight === 0) this.#kept = [];
  }

  #arrived(after: EventId, page: SharedPage): void {
    const consumers = this.#waiting.get(after) ?? [];
    this.#waiting.delete(after);
    if (page.events.length > 1) {
      this.#kept.push(page);
      if (this.#kept.length > MAX_KEPT) this.#kept.shift();
    }
    for (const consumer of consumers) consumer.onPage(page);
    this.#pump();
  }

  #fromKept(after: EventId): SharedPage | undefined {
    for (const page of this.#kept) {
      const rest = page.from(after);
      if (rest) return rest;
    }
    return undefined;
  }

  /** The patient side of law 7: outward a missing log is an error at once, inward it is a matter of waiting. */
  #patiently<T>(ask: () => Promise<T>, found: (answer: T) => void, delay = FIRST_RETRY): void {
    ask().then(
      (answer) => {
        if (!this.#stopped) found(answer);
      },
      () => {
        if (this.#stopped) return;
        const timer = setTimeout(
          () => {
            this.#timers.delete(timer);
            this.#patiently(ask, found, Math.min(delay * 2, LAST_RETRY));
          },
          delay * (0.5 + Math.random()),
        );
        this.#timers.add(timer);
      },
    );
  }
}
