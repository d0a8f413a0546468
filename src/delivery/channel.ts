import type { ChannelContext } from './channel-context.ts';
import type { ChannelName } from '../events/channel-name.ts';
import type { ChannelState, LogListener } from '../log/event-log.ts';
import type { EventRun } from '../events/event-run.ts';
import { ORIGIN, compareEventIds } from '../events/event.ts';
import type { EventId, StoredEvent } from '../events/event.ts';
import { isCleared, plainLength } from '../events/record.ts';
import { FanOut } from './fan-out.ts';
import { HeldEvents } from './held-events.ts';
import type { SharedPage } from './shared-page.ts';
import { KnownStatus } from './known-status.ts';
import { PageReader } from './page-reader.ts';
import type { PageConsumer } from './page-reader.ts';
import { RecentEvents } from './recent-events.ts';
import { Retention } from './retention.ts';
import type { Subscriber } from './subscriber.ts';

/**
 * One followed channel on this replica. Events come in through {@link onEvents}. The channel checks them against the
 * chain of predecessors, and the fan-out gives them to the live subscribers. The channel reads missing events from the
 * log, once for all subscribers. When the log does not have them, every subscriber goes back to catching up and gets a
 * gap of its own.
 */
export class Channel implements LogListener, PageConsumer {
  readonly name: ChannelName;
  /** Reads the log for the subscribers and for the channel itself. */
  readonly reader: PageReader;
  readonly #context: ChannelContext;
  readonly #unfollow: () => void;
  readonly #recent: RecentEvents;
  readonly #retention: Retention;
  readonly #held: HeldEvents;
  readonly #known = new KnownStatus();
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
    this.reader = new PageReader({
      log: context.log,
      channel: name,
      loop: context.loop,
      budget: context.recentBudget,
      retention: this.#retention,
      onFailed: (error) => this.onTrouble(error),
    });
    const { recentBudget: budget, lastRun } = context;
    this.#recent = new RecentEvents({ budget, lastRun, retention: this.#retention });
    this.#held = new HeldEvents(context.heldBudget);
    this.#fanOut = new FanOut(name, this.#recent, context.loop, context.instruments);
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

  /** What the replica knows of the channel; undefined while it may have missed an announcement. */
  get state(): ChannelState | undefined {
    if (!this.serving || this.#healing) return undefined;
    return { tail: this.#position, status: this.#known.at(this.#position) };
  }

  /** Whether {@link position} is the channel's end. */
  get ended(): boolean {
    return this.#known.at(this.#position) === 'ended';
  }

  add(subscriber: Subscriber): void {
    this.#size++;
    subscriber.arrivedAt = this.#retention.taken;
    if (!this.serving) return this.wait(subscriber);
    subscriber.anchor(this.#position);
    subscriber.schedule();
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

  /** Reads the log to find out whether an announcement was missed, or the log has lost events. Then wakes the subscriber. */
  check(subscriber: Subscriber): void {
    this.#waiting.add(subscriber);
    this.#heal();
  }

  /** See {@link RecentEvents.runAfter}. */
  recentAfter(position: EventId, arrivedAt: number): EventRun | undefined {
    return this.#recent.runAfter(position, arrivedAt);
  }

  /** From here on the subscriber gets every event as it arrives. Its position must be exactly {@link position}. */
  join(subscriber: Subscriber): void {
    this.#fanOut.join(subscriber);
  }

  leaveLive(subscriber: Subscriber): void {
    this.#fanOut.leave(subscriber);
  }

  /** Takes in what a page from the log says that was not announced yet. The announcement is then a repetition. */
  offer({ events, tail, ended }: SharedPage): void {
    if (this.#state !== 'following' || this.#healing) return;
    const last = events.at(-1);
    if (last !== undefined && compareEventIds(last.id, this.#position) > 0) {
      for (const event of events) {
        if (compareEventIds(event.id, this.#position) > 0 && !this.#take(event)) return;
      }
      this.#advanceFanOut();
    }
    if (ended && tail === this.#position) this.onEnded(tail);
  }

  stop(): void {
    this.#unfollow();
    this.reader.stop();
    this.#recent.reset(this.#position);
    this.#held.take();
    this.#fanOut.restartAt(this.#position);
  }

  onFollowing(state: ChannelState): void {
    this.#state = 'following';
    this.#restartAt(state.tail);
    this.#known.note(state);
    this.#anchor(state.tail);
    this.#settle();
  }

  onEvents(events: readonly StoredEvent[]): void {
    if (this.#state !== 'following' || this.#healing) {
      this.#held.add(events);
      return;
    }
    for (const event of events) {
      // When the log, read after the announcement, does not lead to the event, then the log does not hold it.
      if (this.#take(event) || event.id === this.#unreachable) continue;
      this.#unreachable = event.id;
      this.#held.add(events.slice(events.indexOf(event)));
      this.#heal();
      break;
    }
    this.#advanceFanOut();
    if (this.ended) this.#fanOut.finish();
  }

  onEnded(tail: EventId): void {
    this.#known.note({ tail, status: 'ended' });
    if (this.#state !== 'following') return;
    // The announcement of the last event was lost, or the log has lost its newest events, or the end is a repetition.
    if (tail !== this.#position) this.#heal();
    else if (this.ended && !this.#healing) this.#fanOut.finish();
  }

  onTrouble(error: unknown): void {
    this.#context.onTrouble(this.name, error);
    for (const subscriber of this.#waiting) subscriber.onTrouble(error);
  }

  onInterrupted(): void {
    if (this.#state === 'following') this.#state = 'interrupted';
    this.#known.forget();
  }

  onResumed(state: ChannelState): void {
    if (this.#state === 'starting') return;
    this.#state = 'following';
    this.#known.note(state);
    this.#anchor(state.tail);
    if (state.tail !== this.#position) this.#heal();
    else if (!this.#healing) this.#settle();
  }

  /** Takes in the event by law 1, Chain. Returns false when events are missing before this one. */
  #take(event: StoredEvent): boolean {
    if (compareEventIds(event.id, this.#position) <= 0) {
      // Either the event is a repetition, or the log has lost its newest events. Reading the log shows which.
      if (!this.#recent.has(event.id)) this.#heal();
      return true;
    }
    const order = compareEventIds(event.prev, this.#position);
    if (order > 0) return false;
    if (isCleared(event)) this.#known.note({ tail: event.id, status: 'empty' });
    // The log has deleted the earlier events, or lost them: then its tail was before the position.
    if (order < 0 || isCleared(event)) {
      this.#recent.clear();
      this.reader.forget();
    }
    this.#recent.push(event);
    this.#position = event.id;
    this.#takenBytes += plainLength(event);
    return true;
  }

  #advanceFanOut(): void {
    if (this.#takenBytes > 0) this.#fanOut.advance(this.#position, this.#takenBytes);
    this.#takenBytes = 0;
  }

  /** Subscribers that joined during an outage without a cursor start at the tail found on recovery. */
  #anchor(tail: EventId): void {
    for (const subscriber of this.#waiting) subscriber.anchor(tail);
  }

  #restartAt(position: EventId): void {
    this.#position = position;
    this.#takenBytes = 0;
    this.#known.forget();
    this.#recent.reset(position);
    this.reader.forget();
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
    this.reader.readAnew(this.#position, this);
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
    this.#known.notePage(page);
    const last = page.events.at(-1);
    const more = page.complete && last !== undefined && compareEventIds(last.id, page.tail) < 0;
    if (more || this.#readTwice || this.#healAgain) {
      this.#healAgain = false;
      this.reader.readAnew(this.#position, this);
      return;
    }
    // The log, read after the announcement of an end, does not lead to it.
    if (this.#known.endsAfter(page.tail)) this.#known.forget();
    this.#healing = false;
    this.#settle();
  }

  /** Takes in the events that were held back, and wakes the waiting subscribers. */
  #settle(): void {
    const { events, lost } = this.#held.take();
    if (lost) this.#heal();
    this.onEvents(events);
    // The last event's announcement was lost, and the one of the end was not.
    if (!this.#healing && this.#known.endsAfter(this.#position)) this.#heal();
    if (this.#state !== 'following' || this.#waiting.size === 0) return;
    for (const subscriber of this.#waiting) subscriber.schedule();
    this.#waiting.clear();
  }
}
