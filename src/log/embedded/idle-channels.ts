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
  /** Whether the log keeps a state of the channel. */
  readonly hasLatest: (channel: number) => boolean;
  /** The memory of a channel's record, in bytes. */
  readonly cost: (channel: number) => number;
  /** Frees the channel's record. */
  readonly forget: (channel: number) => void;
}

/**
 * The channels without events and listeners. Their memory is limited: when it is full, silent channels are forgotten first,
 * because anybody can subscribe to invented names, and then the channel that has been idle for longest. A channel with a state is
 * forgotten only when it has expired; its memory counts together with the state.
 */
export class IdleChannels {
  readonly #blocks: BlockStore;
  readonly #options: IdleChannelsOptions;
  readonly #silent: RecordOrder;
  /** The idle channels with a state. */
  readonly #withLatest: RecordOrder;
  /** The other idle channels. */
  readonly #others: RecordOrder;
  #bytes = 0;

  constructor(blocks: BlockStore, options: IdleChannelsOptions) {
    this.#blocks = blocks;
    this.#options = options;
    this.#silent = new RecordOrder(blocks);
    this.#withLatest = new RecordOrder(blocks);
    this.#others = new RecordOrder(blocks);
  }

  /** Adds a channel. May forget other channels. */
  add(channel: number, now: number): void {
    const { cost, idleSince, limit, hasLatest } = this.#options;
    this.#blocks.setDouble(channel, idleSince, now);
    this.#orderOf(channel).add(channel);
    if (!hasLatest(channel)) this.#bytes += cost(channel);
    while (this.#bytes > limit && this.forgetOldest(channel));
  }

  /** Takes out a channel, which is as silent as it was when it was added, and has a state only if it had one then. */
  remove(channel: number): void {
    this.#orderOf(channel).remove(channel);
    if (!this.#options.hasLatest(channel)) this.#bytes -= this.#options.cost(channel);
  }

  /** Forgets one channel without a state. Returns false when there is no such channel but `except`. */
  forgetOldest(except = NONE): boolean {
    return this.#forget(this.#silent.oldest, except) || this.#forget(this.#others.oldest, except);
  }

  /** Forgets one channel that was already idle at `cutoff`. Returns false when there is none. */
  forgetExpired(cutoff: number): boolean {
    for (const { oldest } of [this.#silent, this.#others, this.#withLatest])
      if (oldest !== NONE && this.#blocks.double(oldest, this.#options.idleSince) <= cutoff)
        return this.#forget(oldest, NONE);
    return false;
  }

  #forget(channel: number, except: number): boolean {
    if (channel === NONE || channel === except) return false;
    this.remove(channel);
    this.#options.forget(channel);
    return true;
  }

  #orderOf(channel: number): RecordOrder {
    if (this.#options.hasLatest(channel)) return this.#withLatest;
    return this.#options.isSilent(channel) ? this.#silent : this.#others;
  }
}
