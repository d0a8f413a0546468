import type { ChannelName } from '../events/channel-name.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { ChannelState, EventLog, LogListener } from '../log/event-log.ts';
import type { EventRun } from '../events/event-run.ts';
import { ORIGIN, compareEventIds } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { plainLength } from '../events/record.ts';
import type { FairLoop } from './fair-loop.ts';
import { FanOut } from './fan-out.ts';
import { HeldEvents } from './held-events.ts';
import type { HeldBudget } from './held-events.ts';
import type { Instruments } from './instruments.ts';
import type { SharedPage } from './shared-page.ts';
import { PageReader } from './page-reader.ts';
import type { PageConsumer, RewindConsumer, Withdraw } from './page-reader.ts';
import { RecentEvents } from './recent-events.ts';
import type { LastRun, RecentBudget } from './recent-events.ts';
import { Retention } from './retention.ts';
import type { Subscriber } from './subscriber.ts';

/** The parts that all channels of a replica share. */
export interface ChannelContext {
  readonly log: EventLog;
  readonly loop: FairLoop;
  readonly instruments: Instruments;
  readonly recentBudget: RecentBudget;
  readonly heldBudget: HeldBudget;
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
  readonly lastRun: LastRun;
  /** Called when the log could not be read or followed. */
  readonly onTrouble: (channel: ChannelName, error: unknown) => void;
}

/**
 * One followed channel on this replica. Events come in through {@link onEvents}. The channel checks them against the
 * chain of predecessors, and the fan-out gives them to the live subscribers. The channel reads missing events from the
 * log, once for all subscribers. When the log does not have them, every subscriber goes back to catching up and gets a
 * gap of its own.
 */
export class Channel implements LogListener, PageConsumer {
  readonly name: ChannelName;
  readonly #context: ChannelContext;
  readonly #unfollow: () => void;
  readonly #reader: PageReader;
  readonly #recent: RecentEvents;
  readonly #retention: Retention;
  readonly #held: HeldEvents;
  readonly #fanOut: FanOut;
  readonly #waiting = new Set<Subscriber>();
  #state: 'starting' | 'following' | 'interrupted' = 'starting';
  /** Reads the log from {@link position}, because announced events may be missing. */
  #healing = false;
  /** Whether to read once more after the read under way. */
  #healAgain = false;
  /** Whether the read under way repeats one whose events the log no longer had. */
  #readTwice = false;
  /** The last event that could not be taken in, and for which the log has been read since. */
  #unreachable: EventId | undefined;
  /** The id of the last event taken in. */
  #position: EventId = ORIGIN;
  /** Bytes taken in since the fan-out last advanced. */
  #takenBytes = 0;
  #size = 0;

  constructor(name: ChannelName, context: ChannelContext) {
    this.name = name;
    this.#context = context;
    this.#retention = new Retention(context.policies.historyOf(name));
    this.#reader = new PageReader({
      log: context.log,
      channel: name,
      loop: context.loop,
      budget: context.recentBudget,
      retention: this.#retention,
      onFailed: (error) => this.onTrouble(error),
    });
    this.#recent = new RecentEvents(context.recentBudget, ORIGIN);
    this.#held = new HeldEvents(context.heldBudget);
    this.#fanOut = new FanOut(this.#recent, context.loop, context.instruments);
    this.#unfollow = context.log.follow(name, this);
  }

  /** Subscribers, live or not. */
  get size(): number {
    return this.#size;
  }

  get position(): EventId {
    return this.#position;
  }

  /** Whether announcements arrive, so that subscribers can be served. While this is false, subscribers {@link wait}. */
  get serving(): boolean {
    return this.#state === 'following';
  }

  add(subscriber: Subscriber): void {
    this.#size++;
    subscriber.arrivedAt = this.#retention.taken;
    if (this.serving) {
      subscriber.anchor(this.#position);
      subscriber.schedule();
    } else {
      this.#waiting.add(subscriber);
    }
  }

  remove(subscriber: Subscriber): void {
    this.#size--;
    this.#waiting.delete(subscriber);
    this.#fanOut.leave(subscriber);
  }

  /** Wakes the subscriber when the channel serves again. */
  wait(subscriber: Subscriber): void {
    this.#waiting.add(subscriber);
  }

  /** Reads the log to find out whether an announcement was missed. Then wakes the subscriber. */
  check(subscriber: Subscriber): void {
    this.#waiting.add(subscriber);
    this.#heal();
  }

  read(after: EventId, consumer: PageConsumer): Withdraw {
    return this.#reader.read(after, consumer);
  }

  rewind(count: number, consumer: RewindConsumer): Withdraw {
    return this.#reader.rewind(count, consumer);
  }

  /**
   * The recent events after `position`; undefined when the log has to be read. It also has to be read when the log no
   * longer keeps one of these events that was taken in before the subscriber came (`arrivedAt`). A run is limited in
   * bytes, so it may end before {@link position}.
   */
  recentAfter(position: EventId, arrivedAt: number): EventRun | undefined {
    const events = this.#recent.after(position);
    const [first] = events ?? [];
    if (events === undefined) return undefined;
    const before = events.length - (this.#retention.taken - arrivedAt);
    if (first !== undefined && before > 0 && !this.#retention.keeps(first.id, before)) return undefined;
    return this.#context.lastRun.of(this, position, events);
  }

  /** From here on the subscriber gets every event as it arrives. Its position must be exactly {@link position}. */
  join(subscriber: Subscriber): void {
    this.#fanOut.join(subscriber);
  }

  leaveLive(subscriber: Subscriber): void {
    this.#fanOut.leave(subscriber);
  }

  /** Takes in events of a page from the log that were not announced yet. Their announcements are then repetitions. */
  offer(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (this.#state !== 'following' || this.#healing || last === undefined) return;
    if (compareEventIds(last.id, this.#position) <= 0) return;
    for (const event of events) {
      if (compareEventIds(event.id, this.#position) > 0 && !this.#take(event)) return;
    }
    this.#advanceFanOut();
  }

  stop(): void {
    this.#context.lastRun.forget(this);
    this.#unfollow();
    this.#reader.stop();
    this.#recent.reset(this.#position);
    this.#held.take();
    this.#fanOut.restartAt(this.#position);
  }

  onFollowing({ tail }: ChannelState): void {
    this.#state = 'following';
    this.#restartAt(tail);
    this.#anchor(tail);
    this.#settle();
  }

  onEvents(events: readonly StoredEvent[]): void {
    if (this.#state !== 'following' || this.#healing) {
      this.#held.add(events);
      return;
    }
    for (const [index, event] of events.entries()) {
      // When the log, read after the announcement, does not lead to the event, then the log does not hold it.
      if (this.#take(event) || event.id === this.#unreachable) continue;
      this.#unreachable = event.id;
      this.#held.add(events.slice(index));
      this.#heal();
      break;
    }
    this.#advanceFanOut();
  }

  onEnded(_tail: EventId): void {}

  onTrouble(error: unknown): void {
    this.#context.onTrouble(this.name, error);
    for (const subscriber of this.#waiting) subscriber.onTrouble(error);
  }

  onInterrupted(): void {
    if (this.#state === 'following') this.#state = 'interrupted';
  }

  onResumed({ tail }: ChannelState): void {
    if (this.#state === 'starting') return;
    this.#state = 'following';
    this.#anchor(tail);
    if (tail !== this.#position) this.#heal();
    else if (!this.#healing) this.#settle();
  }

  /** Takes in the event by law 1, Chain. Returns false when events are missing before this one. */
  #take(event: StoredEvent): boolean {
    if (compareEventIds(event.id, this.#position) <= 0) {
      // Either the event is a repetition, or the log has lost its newest events. Reading the log shows which.
      if (!this.#recent.has(event.id)) this.#heal();
      return true;
    }
    if (compareEventIds(event.prev, this.#position) > 0) return false;
    this.#recent.push(event);
    this.#retention.take(event);
    this.#position = event.id;
    this.#takenBytes += plainLength(event);
    return true;
  }

  #advanceFanOut(): void {
    const bytes = this.#takenBytes;
    this.#takenBytes = 0;
    if (bytes > 0) this.#fanOut.advance(this.#position, bytes);
  }

  /** Subscribers that joined during an outage without a cursor start at the tail found on recovery. */
  #anchor(tail: EventId): void {
    for (const subscriber of this.#waiting) subscriber.anchor(tail);
  }

  #restartAt(position: EventId): void {
    this.#position = position;
    this.#takenBytes = 0;
    this.#recent.reset(position);
    this.#reader.forget();
    this.#retention.heard(position);
    this.#fanOut.restartAt(position);
  }

  /** Reads the log from the channel's position, once for all subscribers. */
  #heal(): void {
    if (this.#healing) {
      // The read under way began before the new reason to heal, so its page may be too old.
      this.#healAgain = true;
      return;
    }
    this.#healing = true;
    this.#reader.readAnew(this.#position, this);
  }

  onPage(page: SharedPage): void {
    const isGone = page.events.length === 0 && compareEventIds(this.#position, page.tail) < 0;
    // The log keeps none of the missing events. Their announcements may have come since, or come before a second answer.
    if (isGone && this.#held.takeWhile((event) => this.#take(event))) this.#healAgain = true;
    this.#advanceFanOut();
    const isComplete = page.complete || (isGone && compareEventIds(this.#position, page.tail) >= 0);
    this.#readTwice = isGone && !isComplete && !this.#readTwice;
    if (isComplete) {
      for (const event of page.events) this.#take(event);
      if (page.events.length > 0) this.#context.instruments.healed();
      this.#advanceFanOut();
    } else if (!this.#readTwice) {
      // Each subscriber reads on from its own position, and gets its own gap.
      this.#fanOut.sendAllBack();
      this.#restartAt(page.tail);
    }
    const last = page.events.at(-1);
    const more = page.complete && last !== undefined && compareEventIds(last.id, page.tail) < 0;
    if (more || this.#readTwice || this.#healAgain) {
      this.#healAgain = false;
      this.#reader.readAnew(this.#position, this);
      return;
    }
    this.#healing = false;
    this.#settle();
  }

  /** Takes in the events that were held back, and wakes the waiting subscribers. */
  #settle(): void {
    const { events, lost } = this.#held.take();
    if (lost) this.#heal();
    this.onEvents(events);
    if (this.#state !== 'following' || this.#waiting.size === 0) return;
    for (const subscriber of this.#waiting) subscriber.schedule();
    this.#waiting.clear();
  }
}
