import type { ChannelName } from '../../events/channel-name.ts';
import { TAIL_TTL_MS } from '../event-log.ts';
import { NONE } from './block-store.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { EventRecords } from './event-records.ts';
import type { LatestRecords } from './latest-records.ts';
import type { RememberedKeys } from './remembered-keys.ts';

/** What a sweep drops from. */
interface SweptMemory {
  readonly channels: ChannelRecords;
  readonly events: EventRecords;
  readonly keys: RememberedKeys;
  readonly latest: LatestRecords;
}

const SWEEP_MS = 10_000;
/** How long one slice of a sweep may hold the event loop, in ms. */
const SLICE_MS = 5;
/** How many steps a slice takes between two looks at the clock. */
const STEPS = 64;

/** Drops what is too old, and what was cleared. These can be a million events, so the sweep works in slices. */
export class BackgroundSweep {
  readonly #memory: SweptMemory;
  readonly #steadyClock: () => number;
  readonly #timer: NodeJS.Timeout;
  /** The channels that may have cleared events. */
  readonly #cleared = new Set<ChannelName>();
  #clearing = false;
  #expiring = false;
  #closed = false;

  /** @param steadyClock returns the ms of the log's monotonic clock */
  constructor(memory: SweptMemory, steadyClock: () => number) {
    this.#memory = memory;
    this.#steadyClock = steadyClock;
    this.#timer = setInterval(() => this.#expire(), SWEEP_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  /** Drops the cleared events and keys of the channel, from the next turn of the event loop on. */
  dropCleared(channel: ChannelName): void {
    this.#cleared.add(channel);
    if (this.#clearing) return;
    this.#clearing = true;
    setImmediate(() => this.#clearSlice());
  }

  /** Drops one cleared event or key, of any channel. Returns false when there is none. */
  dropOneCleared(now: number): boolean {
    const { channels, latest } = this.#memory;
    for (const name of this.#cleared) {
      const channel = channels.find(name);
      if (channel !== NONE && channels.status.cleared(channel) > 0) {
        channels.dropOldest(channel, now);
        return true;
      }
      this.#cleared.delete(name);
    }
    return latest.dropOneCleared();
  }

  #clearSlice(): void {
    this.#clearing = !this.#slice((now) => this.dropOneCleared(now));
    if (this.#clearing) setImmediate(() => this.#clearSlice());
  }

  #expire(): void {
    // The sweep before may still be under way.
    if (this.#expiring) return;
    const { shortest, longest } = this.#memory.channels.ttlRange;
    // When all channels have the same ttl, the oldest event of all expires first, and no channel needs a check of its own.
    this.#expireSlice({ channels: shortest < longest ? this.#memory.channels.busy.count : 0 });
  }

  /** @param left counts the channels whose own oldest event this sweep has yet to check */
  #expireSlice(left: { channels: number }): void {
    this.#expiring = !this.#slice((now) => this.#expireOne(left, now));
    if (this.#expiring) setImmediate(() => this.#expireSlice(left));
  }

  /** Takes steps until one returns false. Returns whether there is no more to do. */
  #slice(step: (now: number) => boolean): boolean {
    const until = performance.now() + SLICE_MS;
    const now = this.#steadyClock();
    for (let count = 1; !this.#closed && step(now); count++) {
      if (count % STEPS === 0 && performance.now() >= until) return false;
    }
    return true;
  }

  #expireOne(left: { channels: number }, now: number): boolean {
    const { channels, events, keys, latest } = this.#memory;
    const { oldest } = events;
    if (oldest !== NONE && channels.hasSurplus(events.channel(oldest), now)) {
      channels.dropOldest(events.channel(oldest), now);
      return true;
    }
    if (left.channels > 0) {
      const channel = channels.busy.oldest;
      if (channel !== NONE && channels.hasSurplus(channel, now)) {
        channels.dropOldest(channel, now);
        return true;
      }
      if (channel !== NONE) channels.busy.turn();
      left.channels--;
      return true;
    }
    return latest.dropOneCleared() || keys.forgetExpired(now) || channels.forgetExpired(now - TAIL_TTL_MS);
  }
}
