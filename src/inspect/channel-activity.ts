import type { ChannelName } from '../events/channel-name.ts';
import type { FairLoop } from '../delivery/fair-loop.ts';

/** In ms. */
const WINDOW_MS = 10_000;
const WINDOWS = 6;
/** The time that the counts cover, in seconds. The newest window is not over, so it is up to 10 s less. */
export const ACTIVITY_SECONDS = (WINDOWS * WINDOW_MS) / 1_000;
/** The largest number of channels in a window. Further channels are not counted. A busy channel is early in its window. */
const MAX_CHANNELS = 10_000;

/** What happened on a channel. */
export interface ActivityCounts {
  /** Events published at this replica. */
  publishes: number;
  /** Events written to live subscribers of this replica, summed over subscribers. */
  deliveries: number;
}

type Window = Map<ChannelName, ActivityCounts>;

/**
 * Counts publishes and deliveries of each channel in the last minute. A count costs one look-up in a map, and no reading of a
 * clock: a timer begins the next window.
 */
export class ChannelActivity {
  #current: Window = new Map();
  /** The oldest first. The last one is the current one. */
  readonly #windows: Window[] = [this.#current];
  readonly #timer: NodeJS.Timeout;
  readonly #maxChannels: number;

  /** @param maxChannels only tests set it */
  constructor(maxChannels = MAX_CHANNELS) {
    this.#maxChannels = maxChannels;
    this.#timer = setInterval(() => this.beginWindow(), WINDOW_MS);
    this.#timer.unref();
  }

  published(channel: ChannelName, events: number): void {
    const counts = this.#of(channel);
    if (counts !== undefined) counts.publishes += events;
  }

  delivered(channel: ChannelName, events: number): void {
    const counts = this.#of(channel);
    if (counts !== undefined) counts.deliveries += events;
  }

  /** Sums up all windows, in slices of the loop. */
  async sums(loop: Pick<FairLoop, 'forEach'>): Promise<ReadonlyMap<ChannelName, ActivityCounts>> {
    const sums: Window = new Map();
    for (const window of this.#windows.slice()) {
      await loop.forEach(window, ([channel, { publishes, deliveries }]) => {
        const sum = sums.get(channel);
        if (sum === undefined) {
          sums.set(channel, { publishes, deliveries });
        } else {
          sum.publishes += publishes;
          sum.deliveries += deliveries;
        }
      });
    }
    return sums;
  }

  /** Called by the timer. Forgets the oldest window. */
  beginWindow(): void {
    this.#current = new Map();
    this.#windows.push(this.#current);
    if (this.#windows.length > WINDOWS) this.#windows.shift();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #of(channel: ChannelName): ActivityCounts | undefined {
    const known = this.#current.get(channel);
    if (known !== undefined || this.#current.size >= this.#maxChannels) return known;
    const counts = { publishes: 0, deliveries: 0 };
    this.#current.set(channel, counts);
    return counts;
  }
}
