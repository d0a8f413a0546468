import { EventRun } from '../events/event-run.ts';
import { compareEventIds, eventTime } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import { countWithin, plainLength } from '../events/record.ts';
import type { RecentEvents } from './recent-events.ts';
import type { Subscriber } from './subscriber.ts';

/** Bytes that one write to each subscriber may join. */
const MAX_RUN_BYTES = 256 * 1024;
/** Bytes that may wait to be written. Beyond that live subscribers go back to reading the log, at their own pace. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** A run on its way to every live subscriber. */
interface Walk {
  readonly run: EventRun;
  /** From the end of the list to its start, so that the last subscriber can take the place of one that leaves. */
  next: number;
  written: number;
}

/**
 * The live subscribers of one channel. What arrives in one turn of the event loop, or while subscribers are written to, is
 * one run and goes out as one write to each. Nothing else is done for a subscriber.
 */
export class FanOut implements FairTask {
  readonly #recent: RecentEvents;
  readonly #loop: FairLoop;
  readonly #instruments: Instruments;
  readonly #live: Subscriber[] = [];
  /** The position up to which the live subscribers have been written to. */
  #walked: EventId;
  /** The channel's position. */
  #target: EventId;
  #pendingBytes = 0;
  #walk: Walk | undefined;
  #scheduled = false;

  constructor(recent: RecentEvents, loop: FairLoop, instruments: Instruments) {
    this.#recent = recent;
    this.#loop = loop;
    this.#instruments = instruments;
    this.#walked = recent.floor;
    this.#target = recent.floor;
  }

  /** From here on the subscriber gets what is announced. It must stand at exactly the channel's position. */
  join(subscriber: Subscriber): void {
    subscriber.liveIndex = this.#live.length;
    this.#live.push(subscriber);
  }

  leave(subscriber: Subscriber): void {
    const index = subscriber.liveIndex;
    if (index < 0) return;
    subscriber.liveIndex = -1;
    const last = this.#live.pop();
    if (last === undefined || last === subscriber) return;
    last.liveIndex = index;
    this.#live[index] = last;
  }

  /** Recent memory now reaches up to `position`, `bytes` further than at the last call. */
  announce(position: EventId, bytes: number): void {
    this.#target = position;
    this.#pendingBytes += bytes;
    if (this.#pendingBytes > MAX_PENDING_BYTES) this.sendAllBack();
    if (this.#live.length === 0 && this.#walk === undefined) {
      this.#walked = position;
      this.#pendingBytes = 0;
      this.#recent.trim(position);
    } else if (!this.#scheduled && this.#walked !== position) {
      this.#scheduled = true;
      this.#loop.add(this);
    }
  }

  /** Every live subscriber goes back to catching up, from where it stands. */
  sendAllBack(): void {
    for (const subscriber of this.#live) {
      subscriber.liveIndex = -1;
      subscriber.catchUp();
    }
    this.#live.length = 0;
    this.restartAt(this.#target);
  }

  /** Drops what was to be written before `position`. */
  restartAt(position: EventId): void {
    this.#walk = undefined;
    this.#walked = position;
    this.#target = position;
    this.#pendingBytes = 0;
  }

  /** Writes to some of the subscribers, until the time is over. */
  run(until: number): boolean {
    const walk = (this.#walk ??= this.#nextWalk());
    if (walk === undefined) {
      this.#scheduled = false;
      return false;
    }
    const { run } = walk;
    const { from, to } = run;
    const live = this.#live;
    let visited = 0;
    for (let i = Math.min(walk.next, live.length - 1); i >= 0; i = Math.min(i - 1, live.length - 1)) {
      const subscriber = live[i] as Subscriber;
      if (subscriber.position === from) {
        if (subscriber.deliver(run)) walk.written++;
      } else if (compareEventIds(subscriber.position, to) < 0) {
        subscriber.catchUp();
      }
      if ((++visited & 15) === 0 && performance.now() >= until) {
        walk.next = i - 1;
        return true;
      }
    }
    this.#finish(walk);
    this.#scheduled = this.#walked !== this.#target;
    return this.#scheduled;
  }

  #nextWalk(): Walk | undefined {
    const pending = this.#recent.after(this.#walked) ?? [];
    if (pending.length === 0) return undefined;
    const count = countWithin(pending, MAX_RUN_BYTES);
    const events = count === pending.length ? pending : pending.slice(0, count);
    return { run: new EventRun(this.#walked, events), next: Infinity, written: 0 };
  }

  #finish({ run, written }: Walk): void {
    this.#walk = undefined;
    this.#walked = run.to;
    for (const event of run.events) this.#pendingBytes -= plainLength(event);
    this.#recent.trim(this.#walked);
    if (written === 0) return;
    this.#instruments.delivered(written * run.events.length);
    const now = Date.now();
    for (const { id } of run.events) this.#instruments.fannedOut(Math.max(0, now - eventTime(id)) / 1000);
  }
}
