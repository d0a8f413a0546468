import { Channel } from './channel.ts';
import type { ChannelContext } from './channel-context.ts';
import type { ChannelName } from './channel-name.ts';
import type { Start } from './cursor.ts';
import { BrokerError } from './errors.ts';
import type { AppendOptions, Appended, EventLog } from './event-log.ts';
import type { NewEvent } from './event.ts';
import type { FairLoop } from './fair-loop.ts';
import type { Instruments, PublishResult } from './instruments.ts';
import type { HistoryLimits } from './retention.ts';
import { Subscription } from './subscription.ts';
import type { Sink } from './subscription.ts';

/** How long a channel without subscribers is followed on, so that one who reconnects finds it warm, in ms. */
const LINGER = 5_000;
/** Publishes that may wait for the log's answer at once. */
const MAX_IN_FLIGHT = 10_000;
/** Bytes that all channels together keep of their newest events. */
const RECENT_BYTES = 64 * 1024 * 1024;
/** Bytes that all channels together hold back while they read the log. */
const HELD_BYTES = 32 * 1024 * 1024;

export interface HubOptions {
  readonly log: EventLog;
  readonly loop: FairLoop;
  readonly instruments: Instruments;
  /** What the log keeps of each channel. */
  readonly history: HistoryLimits;
  /** The log cannot be read, or followed, for a channel that somebody listens to; it is tried again. */
  readonly onTrouble: (channel: ChannelName, error: unknown) => void;
}

/** The channels that somebody on this replica listens to, by name; and the way in for events. */
export class Hub {
  readonly #log: EventLog;
  readonly #loop: FairLoop;
  readonly #instruments: Instruments;
  readonly #context: ChannelContext;
  readonly #channels = new Map<ChannelName, Channel>();
  /** Since when a channel has had no subscriber, oldest first. */
  readonly #idle = new Map<ChannelName, number>();
  readonly #sweep: NodeJS.Timeout;
  #inFlight = 0;

  constructor({ log, loop, instruments, history, onTrouble }: HubOptions) {
    this.#log = log;
    this.#loop = loop;
    this.#instruments = instruments;
    const recentBudget = { limit: RECENT_BYTES, used: 0 };
    const heldBudget = { limit: HELD_BYTES, used: 0 };
    this.#context = { log, loop, instruments, history, onTrouble, recentBudget, heldBudget, lastJoin: {} };
    this.#sweep = setInterval(() => this.#stopIdle(), LINGER / 5);
    this.#sweep.unref();
  }

  get channelsFollowed(): number {
    return this.#channels.size;
  }

  /** @throws BrokerError as {@link EventLog.append} does */
  async publish(channel: ChannelName, event: NewEvent, options?: AppendOptions): Promise<Appended> {
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#instruments.published('unavailable', 0);
      throw new BrokerError(
        'log-unavailable',
        'Too many events wait for the log to answer. Nothing was published; try again.',
      );
    }
    const began = performance.now();
    let result: PublishResult = 'error';
    this.#inFlight++;
    try {
      const appended = await this.#log.append(channel, event, options);
      result = appended.replayed ? 'replayed' : 'ok';
      return appended;
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'log-unavailable') result = 'unavailable';
      if (error instanceof BrokerError && error.code === 'log-full') result = 'full';
      throw error;
    } finally {
      this.#inFlight--;
      this.#instruments.published(result, (performance.now() - began) / 1000);
    }
  }

  /** From now on the sink gets the channel's events, until the subscription is ended. Nothing is written before this returns. */
  subscribe(name: ChannelName, start: Start, sink: Sink): Subscription {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, this.#context);
      this.#channels.set(name, channel);
    }
    this.#idle.delete(name);
    const subscription = new Subscription(channel, start, sink, this.#loop, this.#instruments);
    channel.add(subscription);
    return subscription;
  }

  /** The counterpart of {@link subscribe}. */
  unsubscribe(name: ChannelName, subscription: Subscription): void {
    subscription.end();
    if (this.#channels.get(name)?.size === 0) this.#idle.set(name, performance.now());
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const channel of this.#channels.values()) channel.stop();
    this.#channels.clear();
    this.#idle.clear();
  }

  #stopIdle(): void {
    const now = performance.now();
    for (const [name, since] of this.#idle) {
      if (now - since < LINGER) break;
      this.#idle.delete(name);
      this.#channels.get(name)?.stop();
      this.#channels.delete(name);
    }
  }
}
