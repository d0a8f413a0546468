import type { Channel } from './channel.ts';
import type { Start } from '../events/cursor.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventRun } from '../events/event-run.ts';
import { ORIGIN } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import type { SharedPage } from './shared-page.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { PageConsumer, RewindConsumer } from './page-reader.ts';
import type { Sink } from './sink.ts';
import { isLoss, needsLog, positionOf, wantsState } from './start-rules.ts';
import { StateWalk } from './state-walk.ts';
import type { Loss, StateOwner } from './state-walk.ts';
import type { Subscriber } from './subscriber.ts';
import { ADVANCE, ADVANCE_CHECKED, ADVANCE_FROM_END, BEGIN } from './subscription-step.ts';
import type { SubscriptionStep } from './subscription-step.ts';

export type SubscriptionInstruments = Pick<Instruments, 'replayed' | 'gap'>;

/** docs/architecture.md has a table of the states and of what each waits for. */
type State = 'waiting' | 'catching-up' | 'live' | 'ended';

/**
 * One subscriber of one channel, either catching up or live. While it catches up, it reads pages at the pace of its
 * socket. While it is live, the channel gives it what arrives. Joining, resuming, a lost announcement, a restarted log
 * and a slow reader are all one move: back to catching up from {@link position}.
 *
 * A subscriber that wants the channel's state gets it first, and again after each gap. It then catches up from the tail that the
 * channel had when the state was read.
 */
export class Subscription implements Subscriber, PageConsumer, RewindConsumer, StateOwner, FairTask {
  position: EventId = ORIGIN;
  arrivedAt = 0;
  liveIndex = -1;
  readonly #channel: Channel;
  readonly #loop: FairLoop;
  readonly #sink: Sink;
  readonly #instruments: SubscriptionInstruments;
  #state: State = 'waiting';
  #step: SubscriptionStep = BEGIN;
  /** Where to begin. Undefined once the first events from there are written, or there were none. */
  #start: Start | undefined;
  readonly #wantsState: boolean;
  /** Whether the next step is in the loop's queue. */
  #queued = false;
  #readyWritten = false;
  /** Why the log cannot be read; undefined once the reason has been written. */
  #trouble: LogTrouble | undefined;
  #writtenTrouble: LogTrouble | undefined;

  constructor(
    channel: Channel,
    start: Start,
    sink: Sink,
    loop: FairLoop,
    instruments: SubscriptionInstruments,
  ) {
    this.#channel = channel;
    this.#start = start;
    this.#wantsState = wantsState(start);
    this.#sink = sink;
    this.#loop = loop;
    this.#instruments = instruments;
  }

  /** The id from which the reader would resume; undefined while it is not known. */
  get cursor(): EventId | undefined {
    const start = this.#start;
    if (this.#step.do === 'begin') return start?.from === 'id' ? start.id : undefined;
    return needsLog(start) ? undefined : this.position;
  }

  anchor(tail: EventId): void {
    if (this.#step.do === 'begin' && this.#start?.from === 'tail') this.#start = { from: 'id', id: tail };
  }

  /** The sink can take bytes again. */
  resume(): void {
    if (this.#state !== 'live') this.schedule();
  }

  /** Ends the subscription. Nothing is written any more. */
  end(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    if (this.#step.do === 'await-log') this.#step.withdraw();
    if (this.#step.do === 'write-state') this.#step.walk.end();
    this.#step = ADVANCE;
    this.#channel.remove(this);
  }

  deliver(run: EventRun): boolean {
    // Another subscription of the same connection may have filled the sink.
    const writable = this.#sink.writable;
    if (writable) {
      this.position = run.to;
      this.#sink.deliver(run, true);
    }
    if (!this.#sink.writable) this.catchUp();
    return writable;
  }

  catchUp(): void {
    if (this.#hasEnded) return;
    this.#channel.leaveLive(this);
    this.#state = 'catching-up';
    this.#step = ADVANCE;
    this.schedule();
  }

  schedule(): void {
    if (this.#queued || this.#state === 'ended') return;
    this.#queued = true;
    this.#loop.addStep(this);
  }

  onPage(page: SharedPage): void {
    this.#step = { do: 'deliver', page };
    this.schedule();
  }

  leadsOnFrom(tail: EventId): boolean {
    return this.#channel.recentAfter(tail, this.arrivedAt) !== undefined;
  }

  onRewound(after: EventId): void {
    this.#step = ADVANCE;
    this.position = after;
    this.schedule();
  }

  writeRun(run: EventRun): void {
    this.#start = undefined;
    this.position = run.to;
    this.#sink.deliver(run);
    this.#instruments.replayed(run.events.length);
  }

  writeGap(after: EventId | null, before: EventId | null): void {
    this.#instruments.gap();
    this.#sink.gap({ channel: this.#channel.name, after, before }, this.position);
  }

  /** The reason is written in a later step, because thousands of subscribers may wait for the same log. */
  onTrouble(error: unknown): void {
    const reason = (error instanceof BrokerError ? error.trouble : undefined) ?? 'other';
    if (this.#writtenTrouble === reason) return;
    this.#writtenTrouble = reason;
    this.#trouble = reason;
    this.schedule();
  }

  get #hasEnded(): boolean {
    return this.#state === 'ended';
  }

  get #isAdvancing(): boolean {
    const { do: step } = this.#step;
    return step === 'advance' || step === 'advance-checked' || step === 'advance-from-end';
  }

  /** To be asked again after each call to the sink: the owner may end the subscription inside of the call. */
  get #canWrite(): boolean {
    return !this.#hasEnded && this.#sink.writable;
  }

  /** Takes one step of catching up. The log, the sink or the channel schedules the next. */
  run(): boolean {
    this.#queued = false;
    if (this.#state === 'live' || !this.#canWrite) return false;
    if (this.#trouble !== undefined) this.#sink.waiting(this.#trouble);
    this.#trouble = undefined;
    if (this.#step.do === 'await-log' || !this.#canWrite) return false;
    if (!this.#channel.serving) return this.#wait();
    this.#state = 'catching-up';
    if (this.#step.do === 'begin' && !this.#begin()) return false;
    if (this.#step.do === 'advance-checked' && this.#channel.state === undefined) return this.#wait();
    if (this.#step.do === 'deliver') this.#deliver(this.#step.page);
    if (this.#step.do === 'write-state') this.#writeState(this.#step.walk);
    if (this.#isAdvancing && this.#canWrite) this.#advance();
    return false;
  }

  /** The channel schedules the next step. */
  #wait(): false {
    this.#state = 'waiting';
    this.#channel.wait(this);
    return false;
  }

  /**
   * Laws 2 and 11, Join and End: writing the last missed events and going live, or ending, are one synchronous step. While
   * pages are read, the channel goes on taking in events and keeps the newest. This step writes those after the position.
   */
  #advance(): void {
    const run = this.#channel.recentAfter(this.position, this.arrivedAt);
    if (run === undefined) {
      this.#readOn();
      return;
    }
    this.#start = undefined;
    this.#step = ADVANCE;
    if (run.events.length > 0) {
      this.writeRun(run);
      if (!this.#canWrite) return;
    }
    // The channel has more events than fit in one run.
    if (this.position !== this.#channel.position) this.schedule();
    else if (this.#channel.ended) this.#finish();
    else this.#goLive();
  }

  #readOn(): void {
    if (this.#step.do === 'advance-from-end') {
      this.#step = ADVANCE;
      this.#state = 'waiting';
      this.#channel.check(this);
    } else {
      const withdraw = this.#channel.reader.read(this.position, this);
      this.#step = { do: 'await-log', withdraw };
    }
  }

  #finish(): void {
    this.end();
    this.#sink.ended(this.#channel.name, this.position);
  }

  #goLive(): void {
    this.#state = 'live';
    this.#channel.join(this);
    this.#writtenTrouble = undefined;
    if (this.#readyWritten) return;
    this.#readyWritten = true;
    this.#sink.ready(this.#channel.name, this.position);
    if (!this.#sink.writable) this.catchUp();
  }

  /** Turns the start into a position. Returns false when the log has to be asked first, and asks it. */
  #begin(): boolean {
    const start = this.#start ?? { from: 'tail' };
    this.#step = ADVANCE;
    this.position = positionOf(start, this.#channel.position) ?? this.position;
    if (start.from === 'last') {
      this.#step = { do: 'await-log', withdraw: this.#channel.reader.rewind(start.count, this) };
      return false;
    }
    if (start.from === 'state') this.#beginState();
    else if (start.from === 'unreadable') this.#lose(null, null);
    else if (start.from === 'id' && this.#channel.reader.doubts(start.id, this.#channel.position)) {
      this.#step = ADVANCE_CHECKED;
      this.#channel.check(this);
    }
    return this.#isAdvancing;
  }

  #deliver(page: SharedPage): void {
    const { run, complete, tail } = page;
    const start = this.#start;
    this.#start = undefined;
    const { events } = run;
    const [first] = events;
    if (!complete && isLoss(first?.prev ?? tail, start)) {
      const sawNothing = start?.from === 'time' || start?.from === 'earliest';
      this.#lose(sawNothing ? null : this.position, first?.id ?? null);
      if (this.#hasEnded || this.#wantsState) return;
    }
    if (first === undefined) {
      if (!complete) this.position = tail;
      this.#step = ADVANCE_FROM_END;
      this.#channel.offer(page);
      return;
    }
    this.#step = ADVANCE;
    this.writeRun(run);
    this.#channel.offer(page);
  }

  /** Events are missing after `after`. The sink gets a gap, at once or with the channel's state. */
  #lose(after: EventId | null, before: EventId | null): void {
    if (this.#wantsState) this.#beginState({ after });
    else this.writeGap(after, before);
  }

  #beginState(loss?: Loss): void {
    this.#step = { do: 'write-state', walk: new StateWalk(this.#channel.reader.latest, this, loss) };
  }

  #writeState(walk: StateWalk): void {
    const upTo = walk.step();
    if (upTo === undefined) return;
    this.#start = undefined;
    this.#step = ADVANCE;
    this.position = upTo;
  }
}
