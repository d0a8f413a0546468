import { EventRun } from '../events/event-run.ts';
import { compareEventIds, eventTime } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import { countWithin } from '../events/record.ts';
import type { RecentEvents } from './recent-events.ts';
import type { Subscriber } from './subscriber.ts';

/** The largest run that is written to each subscriber at once, in bytes. */
const MAX_RUN_BYTES = 256 * 1024;
/** The largest number of waiting bytes. Beyond it, all live subscribers go back to catching up. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** A run that is being written to every live subscriber. */
interface Walk {
  readonly run: EventRun;
  /** Goes down to 0, because the last subscriber takes the place of one that leaves. */
  next: number;
  written: number;
}

/**
 * The live subscribers of one channel. Events that arrive in one turn of the event loop, or while another run is written, become
 * one run. Each subscriber gets the run in one write. Nothing else is done for a subscriber.
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

  /** From now on the subscriber gets announced events. The subscriber must be at exactly the channel's position. */
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

  /** Schedules the writes of new recent events: they end at `position` and have `bytes` in all. */
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

  /** Sends every live subscriber back to catching up, from its own position. */
  sendAllBack(): void {
    for (const subscriber of this.#live) {
      subscriber.liveIndex = -1;
      subscriber.catchUp();
    }
    this.#live.length = 0;
    this.restartAt(this.#target);
  }

  /** Drops the waiting events. The next events to write follow `position`. */
  restartAt(position: EventId): void {
    this.#walk = undefined;
    this.#walked = position;
    this.#target = position;
    this.#pendingBytes = 0;
  }

  /** Writes to subscribers until `until`. */
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
    for (const { record } of run.events) this.#pendingBytes -= record.length;
    this.#recent.trim(this.#walked);
    if (written === 0) return;
    this.#instruments.delivered(written * run.events.length);
    const now = Date.now();
    for (const { id } of run.events) this.#instruments.fannedOut(Math.max(0, now - eventTime(id)) / 1000);
  }
}
