import { BrokerError } from '../../events/errors.ts';
import { BackgroundSweep } from './background-sweep.ts';
import { BlockStore } from './block-store.ts';
import { ChannelRecords } from './channel-records.ts';
import { EventRecords } from './event-records.ts';
import { LatestRecords } from './latest-records.ts';
import { RememberedKeys } from './remembered-keys.ts';

export interface LogMemoryOptions {
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** The memory of all channels together. When it is full, the oldest events are dropped. */
  readonly maxBytes: number;
  /** Called when the newest events of that many keys are dropped, because a channel or the memory has too many keys. */
  readonly onKeysDropped?: (keys: number) => void;
}

/** The share of the memory that idempotency keys may take, that idle channels may take, and that the states of channels may take. */
const SHARE = 1 / 4;
/** The number of blocks of a channel with one small event. */
const SMALL_CHANNEL = 2;
/** The largest number of blocks of a channel without its events. */
const CHANNEL = 3;

/** Everything that the embedded log keeps, within one limit. */
export class LogMemory {
  readonly events: EventRecords;
  readonly channels: ChannelRecords;
  /** The ids of appended events, by channel and idempotency key. */
  readonly keys: RememberedKeys;
  readonly latest: LatestRecords;
  readonly sweep: BackgroundSweep;
  readonly #blocks = new BlockStore();
  readonly #maxBytes: number;
  /** The memory of an empty log. */
  readonly #fixed: number;

  /** @param steadyClock returns the ms of a monotonic clock, for ages */
  constructor(options: LogMemoryOptions, steadyClock: () => number) {
    const { maxBytes, onKeysDropped: onDropped = () => undefined } = options;
    const limit = maxBytes * SHARE;
    const blocks = this.#blocks;
    this.#maxBytes = maxBytes;
    this.events = new EventRecords(blocks);
    this.latest = new LatestRecords(blocks, {
      limit,
      onDropped,
      onChange: (channel, hasLatest) => this.channels.setHasLatest(channel, hasLatest, steadyClock()),
    });
    this.channels = new ChannelRecords(blocks, this.events, {
      expected: maxBytes / (SMALL_CHANNEL * blocks.cost(1)),
      idleLimit: limit,
      forgetLatest: (name) => this.latest.clear(name),
    });
    this.keys = new RememberedKeys(blocks, { limit, ttl: options.idempotencyTtl });
    this.#fixed = this.keys.fixedBytes + this.channels.fixedBytes + this.latest.fixedBytes;
    this.sweep = new BackgroundSweep(this, steadyClock);
  }

  /** The memory in use, in bytes, with its bookkeeping. Channels with listeners and without events do not count. */
  get bytes(): number {
    return this.#fixed + this.#blocks.bytes - this.channels.listeningBytes;
  }

  /** @throws BrokerError `log-full` when the events can never fit together */
  refuseTooLarge(events: readonly { readonly bytes: number }[]): void {
    let needed = CHANNEL * this.#blocks.cost(1);
    for (const { bytes } of events) needed += this.events.cost(bytes);
    if (this.#fixed + needed <= this.#maxBytes) return;
    throw new BrokerError(
      'log-full',
      'The publish is larger than the memory of the embedded log. Send less data, or raise SLUICE_MEMORY_BYTES.',
    );
  }

  /** Drops what is oldest while the memory is above its limit. */
  limit(now: number): void {
    while (this.bytes > this.#maxBytes && this.#makeRoom(now));
  }

  /**
   * Drops what is cleared, or the oldest event. When one event is left, drops from idle channels, states and idempotency keys,
   * which have shares of their own. Dropped keys of states are counted, so idempotency keys, which are not, go last.
   */
  #makeRoom(now: number): boolean {
    if (this.sweep.dropOneCleared(now)) return true;
    const { oldest, newest } = this.events;
    if (oldest === newest)
      return this.channels.forgetIdle() || this.latest.dropOldest() || this.keys.forgetOldest();
    this.channels.dropOldest(this.events.channel(oldest), now);
    return true;
  }
}
