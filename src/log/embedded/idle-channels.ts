import { NONE } from './block-store.ts';
import type { BlockStore } from './block-store.ts';
import { RecordOrder } from './record-order.ts';

export interface IdleChannelsOptions {
  /** The memory of all idle channels together, in bytes. */
  readonly limit: number;
  /** The position of a double in a channel's record: since when the channel is idle. */
  readonly idleSince: number;
  /** Whether the channel never had an event and has no end. */
  readonly isSilent: (channel: number) => boolean;
  /** The memory of a channel's record, in bytes. */
  readonly cost: (channel: number) => number;
  /** Frees the channel's record. */
  readonly forget: (channel: number) => void;
}

/**
 * The channels without events and listeners. Their memory is limited: when it is full, silent channels are forgotten first,
 * because anybody can subscribe to invented names, and then the channel that has been idle for longest.
 */
export class IdleChannels {
  readonly #blocks: BlockStore;
  readonly #options: IdleChannelsOptions;
  readonly #silent: RecordOrder;
  /** The idle channels that are not silent. */
  readonly #others: RecordOrder;
  #bytes = 0;

  constructor(blocks: BlockStore, options: IdleChannelsOptions) {
    this.#blocks = blocks;
    this.#options = options;
    this.#silent = new RecordOrder(blocks);
    this.#others = new RecordOrder(blocks);
  }

  /** Adds a channel. May forget other channels. */
  add(channel: number, now: number): void {
    const { cost, idleSince, limit } = this.#options;
    this.#blocks.setDouble(channel, idleSince, now);
    this.#orderOf(channel).add(channel);
    this.#bytes += cost(channel);
    while (this.#bytes > limit && this.forgetOldest(Infinity, channel));
  }

  /** Takes out a channel, which is as silent as it was when it was added. */
  remove(channel: number): void {
    this.#orderOf(channel).remove(channel);
    this.#bytes -= this.#options.cost(channel);
  }

  /** Forgets one channel that was already idle at `cutoff`. Returns false when there is no such channel but `except`. */
  forgetOldest(cutoff: number, except = NONE): boolean {
    return (
      this.#forget(this.#silent.oldest, cutoff, except) || this.#forget(this.#others.oldest, cutoff, except)
    );
  }

  #forget(channel: number, cutoff: number, except: number): boolean {
    if (channel === NONE || channel === except) return false;
    if (this.#blocks.double(channel, this.#options.idleSince) > cutoff) return false;
    this.remove(channel);
    this.#options.forget(channel);
    return true;
  }

  #orderOf(channel: number): RecordOrder {
    return this.#options.isSilent(channel) ? this.#silent : this.#others;
  }
}
