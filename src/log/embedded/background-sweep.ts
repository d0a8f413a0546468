import type { ChannelName } from '../../events/channel-name.ts';
import { TAIL_TTL_MS } from '../event-log.ts';
import { NONE } from './block-store.ts';
import type { ChannelRecords } from './channel-records.ts';
import type { EventRecords } from './event-records.ts';
import type { RememberedKeys } from './remembered-keys.ts';

export interface BackgroundSweepOptions {
  readonly channels: ChannelRecords;
  readonly events: EventRecords;
  readonly keys: RememberedKeys;
  /** Returns the ms of the log's monotonic clock. */
  readonly steadyClock: () => number;
}

const SWEEP_MS = 10_000;
/** How long one slice of a sweep may hold the event loop, in ms. */
const SLICE_MS = 5;
/** How many steps a slice takes between two looks at the clock. */
const STEPS = 64;

/** Drops what is too old, and what was cleared. These can be a million events, so the sweep works in slices. */
export class BackgroundSweep {
  readonly #options: BackgroundSweepOptions;
  readonly #timer: NodeJS.Timeout;
  /** The channels that may have cleared events. */
  readonly #cleared = new Set<ChannelName>();
  #closed = false;

  constructor(options: BackgroundSweepOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#expire(), SWEEP_MS);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  /** Drops the cleared events of the channel, from the next turn of the event loop on. */
  dropCleared(channel: ChannelName): void {
    this.#cleared.add(channel);
    // With other channels in the set, a slice is already scheduled.
    if (this.#cleared.size === 1) setImmediate(() => this.#clearSlice());
  }

  #clearSlice(): void {
    const isDone = this.#slice((now) => this.#clearOne(now));
    if (!isDone) setImmediate(() => this.#clearSlice());
  }

  #clearOne(now: number): boolean {
    const { channels } = this.#options;
    const [name] = this.#cleared;
    if (name === undefined) return false;
    const channel = channels.find(name);
    if (channel !== NONE && channels.status.cleared(channel) > 0) channels.dropOldest(channel, now);
    else this.#cleared.delete(name);
    return true;
  }

  #expire(): void {
    const { shortest, longest } = this.#options.channels.ttlRange;
    // When all channels have the same ttl, the oldest event of all expires first, and no channel needs a check of its own.
    this.#expireSlice({ channels: shortest < longest ? this.#options.channels.busyCount : 0 });
  }

  /** @param left counts the channels whose own oldest event this sweep has yet to check */
  #expireSlice(left: { channels: number }): void {
    const isDone = this.#slice((now) => this.#expireOne(left, now));
    if (!isDone) setImmediate(() => this.#expireSlice(left));
  }

  /** Takes steps until one returns false. Returns whether there is no more to do. */
  #slice(step: (now: number) => boolean): boolean {
    const until = performance.now() + SLICE_MS;
    const now = this.#options.steadyClock();
    for (let count = 1; !this.#closed && step(now); count++) {
      if (count % STEPS === 0 && performance.now() >= until) return false;
    }
    return true;
  }

  #expireOne(left: { channels: number }, now: number): boolean {
    const { channels, events, keys } = this.#options;
    const { oldest } = events;
    if (oldest !== NONE && channels.hasSurplus(events.channel(oldest), now)) {
      channels.dropOldest(events.channel(oldest), now);
      return true;
    }
    if (left.channels > 0) {
      const channel = channels.nextBusy();
      if (channel !== NONE && channels.hasSurplus(channel, now)) {
        channels.dropOldest(channel, now);
        return true;
      }
      if (channel !== NONE) channels.turnBusy();
      left.channels--;
      return true;
    }
    return keys.forgetExpired(now) || channels.forgetIdle(now - TAIL_TTL_MS);
  }
}
