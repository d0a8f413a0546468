import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { BrokerError } from '../../src/events/errors.ts';
import type {
  AppendOptions,
  Appended,
  ChannelState,
  EventLog,
  HistoryPolicy,
  LogHealth,
  LogListener,
  LogPage,
} from '../../src/log/event-log.ts';
import type { EventId, NewEvent, StoredEvent } from '../../src/events/event.ts';

export interface Shakiness {
  /** Additional turns of the event loop that each answer may take. */
  readonly delay?: number;
  /** The share of announcements that are lost. */
  readonly loss?: number;
  /** The share of announcements that arrive twice. */
  readonly repetition?: number;
  /** The share of reads that fail. */
  readonly failure?: number;
}

interface Wrapped {
  readonly channel: ChannelName;
  readonly listener: LogListener;
}

/** A real log behind a bad connection: delay, loss, repetition, failed reads and interruptions. */
export class ShakyLog implements EventLog {
  reads = 0;
  rewinds = 0;
  follows = 0;
  states = 0;
  latestReads = 0;
  /** The largest number of events in a page of the state. */
  latestLimit = Infinity;
  /** The error of every read, while it is set. */
  refusal: BrokerError | undefined;
  readonly #log: EventLog;
  readonly #random: () => number;
  readonly #shakiness: Shakiness;
  readonly #followers = new Set<Wrapped>();
  #cut = false;
  #lose = 0;
  #withheld: PromiseWithResolvers<void> | undefined;

  /** As Redis is, of which a {@link ShakyLog} has the faults. */
  readonly isOutside = true;

  constructor(log: EventLog, random: () => number, shakiness: Shakiness = {}) {
    this.#log = log;
    this.#random = random;
    this.#shakiness = shakiness;
  }

  append(
    channel: ChannelName,
    events: readonly NewEvent[],
    options: AppendOptions,
  ): readonly Appended[] | Promise<readonly Appended[]> {
    return this.#log.append(channel, events, options);
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    this.reads++;
    await this.#wait();
    this.#mayFail();
    const page = await this.#log.read(channel, after, limit, policy);
    await this.#wait();
    await this.#withheld?.promise;
    return page;
  }

  get catalog(): EventLog['catalog'] {
    return this.#log.catalog;
  }

  checkKeys(...args: Parameters<EventLog['checkKeys']>): Promise<void> {
    return this.#log.checkKeys(...args);
  }

  async state(channel: ChannelName): Promise<ChannelState> {
    this.states++;
    await this.#wait();
    this.#mayFail();
    await this.#withheld?.promise;
    return this.#log.state(channel);
  }

  async readLatest(...args: Parameters<EventLog['readLatest']>): ReturnType<EventLog['readLatest']> {
    const [channel, after, { limit, maxBytes }] = args;
    this.latestReads++;
    await this.#wait();
    this.#mayFail();
    const limits = { limit: Math.min(limit, this.latestLimit), maxBytes };
    const page = await this.#log.readLatest(channel, after, limits);
    await this.#wait();
    await this.#withheld?.promise;
    return page;
  }

  clear(...args: Parameters<EventLog['clear']>): Promise<boolean> {
    return this.#log.clear(...args);
  }

  async rewind(channel: ChannelName, count: number, policy: HistoryPolicy): Promise<EventId> {
    this.rewinds++;
    await this.#wait();
    this.#mayFail();
    return this.#log.rewind(channel, count, policy);
  }

  follow(channel: ChannelName, listener: LogListener): () => void {
    this.follows++;
    const wrapped: Wrapped = { channel, listener };
    let stopped = false;
    let unfollow: (() => void) | undefined;
    const onFollowing = async (state: ChannelState): Promise<void> => {
      await this.#wait();
      if (stopped) return;
      this.#followers.add(wrapped);
      listener.onFollowing(state);
    };
    const start = async (): Promise<void> => {
      await this.#wait();
      if (stopped) return;
      unfollow = this.#log.follow(channel, {
        onFollowing: (state) => void onFollowing(state),
        onEvents: (events) => {
          if (!stopped) this.#announce(() => listener.onEvents(events));
        },
        onInterrupted: () => listener.onInterrupted(),
        onResumed: (state) => listener.onResumed(state),
        onEnded: (tail) => {
          if (!stopped) this.#announce(() => listener.onEnded(tail));
        },
      });
    };
    void start();
    return () => {
      stopped = true;
      this.#followers.delete(wrapped);
      unfollow?.();
    };
  }

  health(): Promise<LogHealth> {
    return this.#log.health();
  }

  close(): Promise<void> {
    return this.#log.close();
  }

  /** Loses the next announcement. */
  loseNext(): void {
    this.#lose = 1;
  }

  /** Announces what the log does not hold, as anybody can who has the right. */
  announceFalsely(events: readonly StoredEvent[]): void {
    for (const { listener } of this.#followers) listener.onEvents(events);
  }

  /** Announces an end that the log does not hold. */
  announceEndFalsely(tail: EventId): void {
    for (const { listener } of this.#followers) listener.onEnded(tail);
  }

  /** Holds back the pages and the states that are read from now on, until {@link releasePages}. */
  withholdPages(): void {
    this.#withheld = Promise.withResolvers();
  }

  releasePages(): void {
    this.#withheld?.resolve();
    this.#withheld = undefined;
  }

  /** Loses all announcements from now on. */
  cut(): void {
    this.#cut = true;
    for (const { listener } of this.#followers) listener.onInterrupted();
  }

  /** Ends the loss of announcements, as a reconnect does: first announcements arrive again, then the tail is read. */
  async restore(): Promise<void> {
    this.#cut = false;
    for (const { channel, listener } of this.#followers) {
      const state = await this.#log.state(channel);
      await this.#wait();
      listener.onResumed(state);
    }
  }

  /** Makes the announcement, loses it, or repeats it. */
  #announce(announce: () => void): void {
    const { loss = 0, repetition = 0 } = this.#shakiness;
    if (this.#lose > 0) {
      this.#lose--;
      return;
    }
    if (this.#cut || this.#random() < loss) return;
    announce();
    if (this.#random() < repetition) announce();
  }

  async #wait(): Promise<void> {
    const turns = Math.floor(this.#random() * ((this.#shakiness.delay ?? 0) + 1));
    for (let i = 0; i < turns; i++) await nextTurn();
  }

  #mayFail(): void {
    if (this.refusal !== undefined) throw this.refusal;
    if (this.#random() < (this.#shakiness.failure ?? 0)) throw new BrokerError('log-unavailable', 'shaken');
  }
}
