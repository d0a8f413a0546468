import { EventRun } from '../events/event-run.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { compareEventIds, eventTime } from '../events/event.ts';
import type { EventId } from '../events/event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import { plainLength } from '../events/record.ts';
import type { RecentEvents } from './recent-events.ts';
import type { Subscriber } from './subscriber.ts';

/** The largest number of waiting bytes. Beyond it, all live subscribers go back to catching up. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** A run on its way to every live subscriber. */
interface Delivery {
  readonly run: EventRun;
  /**
   * The index of the next live subscriber. It goes down from the end of the list, so that the last subscriber can take
   * the place of one that leaves.
   */
  next: number;
  written: number;
}

/**
 * The live subscribers of one channel. The events that arrive in one turn of the event loop, or while subscribers are
 * written to, are one run. The run goes out as one write to each subscriber. Nothing else is done for a subscriber.
 */
export class FanOut implements FairTask {
  readonly #channel: ChannelName;
  readonly #recent: RecentEvents;
  readonly #loop: FairLoop;
  readonly #instruments: Instruments;
  readonly #live: Subscriber[] = [];
  /** The position up to which the live subscribers have been written to. */
  #deliveredTo: EventId;
  /** The channel's position. */
  #target: EventId;
  #pendingBytes = 0;
  #delivery: Delivery | undefined;
  /** Whether the subscribers stop being live once they have got everything. */
  #finishing = false;
  #scheduled = false;

  constructor(channel: ChannelName, recent: RecentEvents, loop: FairLoop, instruments: Instruments) {
    this.#channel = channel;
    this.#recent = recent;
    this.#loop = loop;
    this.#instruments = instruments;
    this.#deliveredTo = recent.floor;
    this.#target = recent.floor;
  }

  /** From here on the subscriber gets what the channel takes in. Its position must be exactly the channel's. */
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

  /** The channel has moved on to `position`. `bytes` is the size of the events that it took in since the last call. */
  advance(position: EventId, bytes: number): void {
    this.#target = position;
    this.#finishing = false;
    this.#pendingBytes += bytes;
    if (this.#pendingBytes > MAX_PENDING_BYTES) this.sendAllBack();
    if (this.#live.length === 0 && this.#delivery === undefined) {
      this.#deliveredTo = position;
      this.#pendingBytes = 0;
      this.#recent.trim(position);
    } else if (!this.#scheduled && this.#deliveredTo !== position) {
      this.#scheduled = true;
      this.#loop.add(this);
    }
  }

  /** The channel has ended. The live subscribers get what is still to be written, and then go back to catching up. */
  finish(): void {
    this.#finishing = true;
    if (this.#live.length === 0 || this.#scheduled) return;
    this.#scheduled = true;
    this.#loop.add(this);
  }

  /** Every live subscriber goes back to catching up, from its own position. */
  sendAllBack(): void {
    for (const subscriber of this.#live) {
      subscriber.liveIndex = -1;
      subscriber.catchUp();
    }
    this.#live.length = 0;
    this.restartAt(this.#target);
  }

  /** Drops what was still to be written, and goes on from `position`. */
  restartAt(position: EventId): void {
    this.#delivery = undefined;
    this.#deliveredTo = position;
    this.#target = position;
    this.#finishing = false;
    this.#pendingBytes = 0;
  }

  /** Gives the run to live subscribers until `until`. True when more is to be done. */
  run(until: number): boolean {
    const delivery = (this.#delivery ??= this.#nextDelivery());
    if (delivery === undefined) {
      this.#scheduled = this.#finishing && this.#sendBack(until);
      return this.#scheduled;
    }
    const { run } = delivery;
    const { from, to } = run;
    const live = this.#live;
    let visited = 0;
    for (let i = Math.min(delivery.next, live.length - 1); i >= 0; i = Math.min(i - 1, live.length - 1)) {
      const subscriber = live[i] as Subscriber;
      if (subscriber.position === from) {
        if (subscriber.deliver(run)) delivery.written++;
      } else if (compareEventIds(subscriber.position, to) < 0) {
        subscriber.catchUp();
      }
      if ((++visited & 15) === 0 && performance.now() >= until) {
        delivery.next = i - 1;
        return true;
      }
    }
    this.#complete(delivery);
    this.#scheduled = this.#deliveredTo !== this.#target || this.#finishing;
    return this.#scheduled;
  }

  #nextDelivery(): Delivery | undefined {
    const pending = this.#recent.after(this.#deliveredTo) ?? [];
    if (pending.length === 0) return undefined;
    const run = EventRun.bounded(this.#deliveredTo, pending);
    run.isForOne = this.#live.length === 1;
    return { run, next: Infinity, written: 0 };
  }

  /** True when more subscribers are to be sent back. */
  #sendBack(until: number): boolean {
    for (let last = this.#live.at(-1), n = 1; last !== undefined; last = this.#live.at(-1), n++) {
      this.leave(last);
      last.catchUp();
      if ((n & 63) === 0 && performance.now() >= until) return true;
    }
    return false;
  }

  #complete({ run, written }: Delivery): void {
    this.#delivery = undefined;
    this.#deliveredTo = run.to;
    for (const event of run.events) this.#pendingBytes -= plainLength(event);
    this.#recent.trim(this.#deliveredTo);
    if (written === 0) return;
    this.#instruments.delivered(written * run.events.length, this.#channel);
    const now = Date.now();
    for (const { id } of run.events) this.#instruments.fannedOut(Math.max(0, now - eventTime(id)) / 1000);
  }
}
