import { compareEventIds, eventTime } from './event.ts';
import type { EventId, StoredEvent } from './event.ts';
import type { FairLoop, FairTask } from './fair-loop.ts';
import type { Instruments } from './instruments.ts';
import type { RecentEvents } from './recent-events.ts';
import { joinFrames } from './shared-bytes.ts';
import type { SharedBytes } from './shared-bytes.ts';
import type { Subscription } from './subscription.ts';

/** Bytes that one write to each subscriber may join. */
const MAX_WALK_BYTES = 256 * 1024;
/** Bytes that may wait for their walk; beyond that live subscribers go back to the log, at their own pace. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** Events on their way to every live subscriber, as one write each. */
interface Walk {
  readonly from: EventId;
  readonly to: EventId;
  readonly events: readonly StoredEvent[];
  readonly bytes: SharedBytes;
  /** From the end of the list to its start, so that a subscriber that leaves can be replaced by the last one. */
  next: number;
  written: number;
}

/**
 * The live subscribers of one channel, and the walks that take events to them: what arrives in one turn of the event
 * loop, or during a walk, is joined and goes out as one write each. Nothing is done for a subscriber but that write.
 */
export class FanOut implements FairTask {
  readonly #recent: RecentEvents;
  readonly #loop: FairLoop;
  readonly #instruments: Instruments;
  readonly #live: Subscription[] = [];
  /** Up to where walks have taken the live subscribers, and where the channel stands. */
  #walked: EventId;
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

  /** From here on the subscription gets what is announced. It must stand at exactly the channel's position. */
  join(subscription: Subscription): void {
    subscription.liveIndex = this.#live.length;
    this.#live.push(subscription);
  }

  leave(subscription: Subscription): void {
    const index = subscription.liveIndex;
    if (index < 0) return;
    subscription.liveIndex = -1;
    const last = this.#live.pop();
    if (last === undefined || last === subscription) return;
    last.liveIndex = index;
    this.#live[index] = last;
  }

  /** Recent memory now reaches up to `position`, `bytes` further than when it was last said. */
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
    for (const subscription of this.#live) {
      subscription.liveIndex = -1;
      subscription.catchUp();
    }
    this.#live.length = 0;
    this.restartAt(this.#target);
  }

  /** Nothing before `position` is on its way any more. */
  restartAt(position: EventId): void {
    this.#walk = undefined;
    this.#walked = position;
    this.#target = position;
    this.#pendingBytes = 0;
  }

  /** One slice of a walk. */
  run(until: number): boolean {
    const walk = (this.#walk ??= this.#nextWalk());
    if (walk === undefined) {
      this.#scheduled = false;
      return false;
    }
    const live = this.#live;
    let visited = 0;
    for (let i = Math.min(walk.next, live.length - 1); i >= 0; i = Math.min(i - 1, live.length - 1)) {
      const subscription = live[i] as Subscription;
      if (subscription.position === walk.from) {
        walk.written++;
        subscription.receive(walk.bytes, walk.to);
      } else if (compareEventIds(subscription.position, walk.to) < 0) {
        subscription.catchUp();
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
    let bytes = 0;
    let count = 0;
    for (const event of pending) {
      if (count > 0 && bytes + event.frame.length > MAX_WALK_BYTES) break;
      bytes += event.frame.length;
      count++;
    }
    const events = count === pending.length ? pending : pending.slice(0, count);
    const last = events.at(-1);
    if (last === undefined) return undefined;
    return { from: this.#walked, to: last.id, events, bytes: joinFrames(events), next: Infinity, written: 0 };
  }

  #finish(walk: Walk): void {
    this.#walk = undefined;
    this.#walked = walk.to;
    this.#pendingBytes -= walk.bytes.plain.length;
    this.#recent.trim(this.#walked);
    if (walk.written === 0) return;
    this.#instruments.delivered(walk.written * walk.events.length);
    const now = Date.now();
    for (const event of walk.events)
      this.#instruments.fannedOut(Math.max(0, now - eventTime(event.id)) / 1000);
  }
}
