import type { ChannelContext } from './channel-context.ts';
import type { ChannelName } from './channel-name.ts';
import type { Following, LogListener } from './event-log.ts';
import { ORIGIN, compareEventIds } from './event.ts';
import type { EventId, StoredEvent } from './event.ts';
import { FanOut } from './fan-out.ts';
import { HeldEvents } from './held-events.ts';
import type { SharedPage } from './log-page.ts';
import { PageReader } from './page-reader.ts';
import type { PageConsumer, RewindConsumer, Withdraw } from './page-reader.ts';
import { Retention } from './retention.ts';
import { RecentEvents } from './recent-events.ts';
import { joinFrames } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';
import type { Subscription } from './subscription.ts';

/**
 * One followed channel on this replica. Events come in through {@link onEvents}, are checked against the chain of
 * predecessors, and go to the live subscribers in joined, sliced walks. Whatever is missing is read from the log, once
 * for all; where the log cannot say, every subscriber goes back to catching up and is told by itself.
 */
export class Channel implements LogListener, PageConsumer {
  readonly name: ChannelName;
  readonly #context: ChannelContext;
  readonly #following: Following;
  readonly #reader: PageReader;
  readonly #recent: RecentEvents;
  readonly #retention: Retention;
  readonly #held: HeldEvents;
  readonly #fanOut: FanOut;
  readonly #waiting = new Set<Subscription>();
  #state: 'starting' | 'following' | 'interrupted' = 'starting';
  #healing = false;
  #healAgain = false;
  /** The last event taken in. */
  #position: EventId = ORIGIN;
  /** Bytes taken in since the live subscribers were last told. */
  #takenBytes = 0;
  #size = 0;

  constructor(name: ChannelName, context: ChannelContext) {
    this.name = name;
    this.#context = context;
    this.#retention = new Retention(context.history);
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
    this.#following = context.log.follow(name, this);
    this.#following.started.then(
      (tail) => this.#start(tail),
      () => undefined, // stopped before it started: nobody is left to tell
    );
  }

  /** Subscribers, live or not. */
  get size(): number {
    return this.#size;
  }

  get position(): EventId {
    return this.#position;
  }

  /** Whether events arrive, so that subscribers may be served; {@link wait} for it otherwise. */
  get serving(): boolean {
    return this.#state === 'following';
  }

  add(subscription: Subscription): void {
    this.#size++;
    subscription.cameAt = this.#retention.taken;
    if (this.serving) {
      subscription.anchor(this.#position);
      subscription.schedule();
    } else {
      this.#waiting.add(subscription);
    }
  }

  remove(subscription: Subscription): void {
    this.#size--;
    this.#waiting.delete(subscription);
    this.#fanOut.leave(subscription);
  }

  /** Wakes the subscription when the channel serves again. */
  wait(subscription: Subscription): void {
    this.#waiting.add(subscription);
  }

  /** Checks against the log whether anything went unheard; wakes the subscription afterwards. */
  check(subscription: Subscription): void {
    this.#waiting.add(subscription);
    this.#heal();
  }

  read(after: EventId, consumer: PageConsumer): Withdraw {
    return this.#reader.read(after, consumer);
  }

  rewind(count: number, consumer: RewindConsumer): Withdraw {
    // More than all that is kept is as much as that.
    return this.#reader.rewind(Math.min(count, this.#context.history.size), consumer);
  }

  /**
   * Everything from exactly `position` to the channel's own, as one buffer; undefined when only the log can tell. What had
   * arrived before the subscriber came (`cameAt`, in events taken in) it only gets as long as the log keeps it, too.
   */
  recentAfter(
    position: EventId,
    cameAt: number,
  ): { readonly bytes: SharedBytes; readonly count: number } | undefined {
    const events = this.#recent.after(position);
    const [first] = events ?? [];
    if (events === undefined) return undefined;
    const before = events.length - (this.#retention.taken - cameAt);
    if (first !== undefined && before > 0 && !this.#stillKept(first.id, before)) return undefined;
    const { lastJoin } = this.#context;
    const { of: last } = lastJoin;
    const to = this.#position;
    if (last?.channel === this && last.from === position && last.to === to) return last;
    const joined = { channel: this, from: position, to, bytes: joinFrames(events), count: events.length };
    if (events.length > 1) lastJoin.of = joined;
    return joined;
  }

  #stillKept(oldest: EventId, count: number): boolean {
    return this.#retention.holds(count) && !this.#retention.expired(oldest);
  }

  /** From here on every event goes to the subscription as it arrives. It must stand at exactly {@link position}. */
  join(subscription: Subscription): void {
    this.#fanOut.join(subscription);
  }

  leaveLive(subscription: Subscription): void {
    this.#fanOut.leave(subscription);
  }

  /** A page from the log can be ahead of what was announced; what was announced then comes as a repetition. */
  offer(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (this.#state !== 'following' || this.#healing || last === undefined) return;
    if (compareEventIds(last.id, this.#position) <= 0) return;
    for (const event of events) {
      if (compareEventIds(event.id, this.#position) > 0 && !this.#take(event)) return;
    }
    this.#announce();
  }

  stop(): void {
    if (this.#context.lastJoin.of?.channel === this) this.#context.lastJoin.of = undefined;
    this.#following.stop();
    this.#reader.stop();
    this.#recent.reset(this.#position);
    this.#held.take();
    this.#fanOut.restartAt(this.#position);
  }

  onEvents(events: readonly StoredEvent[]): void {
    if (this.#state !== 'following' || this.#healing) {
      this.#held.add(events);
      return;
    }
    for (const [index, event] of events.entries()) {
      if (this.#take(event)) continue;
      this.#held.add(events.slice(index));
      this.#heal();
      break;
    }
    this.#announce();
  }

  onTrouble(error: unknown): void {
    this.#context.onTrouble(this.name, error);
    for (const subscription of this.#waiting) subscription.onTrouble(error);
  }

  onInterrupted(): void {
    if (this.#state === 'following') this.#state = 'interrupted';
  }

  onResumed(tail: EventId): void {
    if (this.#state === 'starting') return;
    this.#state = 'following';
    this.#anchor(tail);
    if (tail !== this.#position) this.#heal();
    else if (!this.#healing) this.#settle();
  }

  /** The law Chain. False when events are missing before this one. */
  #take(event: StoredEvent): boolean {
    if (compareEventIds(event.id, this.#position) <= 0) {
      // A repetition, or a log that went back behind what we know: only the log can say which.
      if (!this.#recent.has(event.id)) this.#heal();
      return true;
    }
    if (compareEventIds(event.prev, this.#position) > 0) return false;
    this.#recent.push(event);
    this.#retention.take(event);
    this.#position = event.id;
    this.#takenBytes += event.frame.length;
    return true;
  }

  #announce(): void {
    const bytes = this.#takenBytes;
    this.#takenBytes = 0;
    if (bytes > 0) this.#fanOut.announce(this.#position, bytes);
  }

  #start(tail: EventId): void {
    this.#state = 'following';
    this.#restartAt(tail);
    this.#anchor(tail);
    this.#settle();
  }

  /** New events, for those who came while none arrived, are those after the moment when they arrive again. */
  #anchor(tail: EventId): void {
    for (const subscription of this.#waiting) subscription.anchor(tail);
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
      // What is being read was asked for before whatever gave rise to this.
      this.#healAgain = true;
      return;
    }
    this.#healing = true;
    this.#reader.readAnew(this.#position, this);
  }

  onPage(page: SharedPage): void {
    if (page.complete) {
      for (const event of page.events) this.#take(event);
      if (page.events.length > 0) this.#context.instruments.healed();
      this.#announce();
    } else {
      // Each subscriber finds by itself, from its own position, what it can still get and what it must be told.
      this.#fanOut.sendAllBack();
      this.#restartAt(page.tail);
    }
    const last = page.events.at(-1);
    const more = page.complete && last !== undefined && compareEventIds(last.id, page.tail) < 0;
    if (more || this.#healAgain) {
      this.#healAgain = false;
      this.#reader.readAnew(this.#position, this);
      return;
    }
    this.#healing = false;
    this.#settle();
  }

  /** Takes in what was held back, and lets those go on who waited. */
  #settle(): void {
    const { events, lost } = this.#held.take();
    if (lost) this.#heal();
    this.onEvents(events);
    if (this.#state !== 'following' || this.#waiting.size === 0) return;
    for (const subscription of this.#waiting) subscription.schedule();
    this.#waiting.clear();
  }
}
