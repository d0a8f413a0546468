import { Channel } from './channel.ts';
import type { ChannelContext } from './channel-context.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { MAX_KEYS } from '../events/channel-policies.ts';
import type { ChannelPolicies } from '../events/channel-policies.ts';
import type { Start } from '../events/cursor.ts';
import type { ChannelState, EventLog, LatestPage } from '../log/event-log.ts';
import type { FairLoop } from './fair-loop.ts';
import { FirstAnswerSink } from './first-answer.ts';
import type { FirstAnswer } from './first-answer.ts';
import type { Instruments } from './instruments.ts';
import { LastRun } from './recent-events.ts';
import type { Sink } from './sink.ts';
import { Subscription } from './subscription.ts';
import type { SubscriptionInstruments } from './subscription.ts';

/** How long a channel without subscribers is followed, in ms, so that subscribers can reconnect cheaply. */
const LINGER_MS = 5_000;
/** How long a question for the state of a channel may take, in ms. */
const STATE_TIMEOUT_MS = 150;
/** The largest number of such questions at the same time. Equal questions count once. */
const MAX_STATE_QUESTIONS = 1_000;
/** How long {@link Hub.firstOf} waits for the log, in ms. */
const FIRST_TIMEOUT_MS = 1_000;
/** The most of a state that is read in one step. */
const WHOLE_STATE = { limit: MAX_KEYS, maxBytes: 2 * 1024 * 1024 };
/** The memory of the recent events of all channels, in bytes. */
const RECENT_BYTES = 64 * 1024 * 1024;
/** The memory of the events that all channels hold back while they read the log, in bytes. */
const HELD_BYTES = 32 * 1024 * 1024;

export interface HubOptions {
  readonly log: EventLog;
  readonly loop: FairLoop;
  readonly instruments: Instruments;
  /** Says which events the log keeps of each channel. */
  readonly policies: Pick<ChannelPolicies, 'historyOf'>;
  /** Called when the log cannot be read or followed for a channel. The channel tries again. */
  readonly onTrouble: (channel: ChannelName, error: unknown) => void;
}

/** The channels that have subscribers on this replica, by name. */
export class Hub {
  readonly #loop: FairLoop;
  readonly #instruments: Instruments;
  readonly #context: ChannelContext;
  readonly #channels = new Map<ChannelName, Channel>();
  /** When each channel without subscribers lost its last one; the oldest first. */
  readonly #idle = new Map<ChannelName, number>();
  /** The questions for the state of a channel that the log has not answered yet. */
  readonly #questions = new Map<ChannelName, Promise<ChannelState | undefined>>();
  readonly #sweep: NodeJS.Timeout;

  constructor({ log, loop, instruments, policies, onTrouble }: HubOptions) {
    this.#loop = loop;
    this.#instruments = instruments;
    const recentBudget = { limit: RECENT_BYTES, used: 0 };
    const heldBudget = { limit: HELD_BYTES, used: 0 };
    this.#context = {
      log,
      loop,
      instruments,
      policies,
      onTrouble,
      recentBudget,
      heldBudget,
      lastRun: new LastRun(),
    };
    this.#sweep = setInterval(() => this.#stopIdle(), LINGER_MS / 5);
    this.#sweep.unref();
  }

  /** How many channels have subscribers. */
  get subscribedCount(): number {
    return this.#channels.size - this.#idle.size;
  }

  /** The channels that have subscribers, in no order. */
  *subscribedChannels(): Iterable<ChannelName> {
    for (const [name] of this.subscriberCounts()) yield name;
  }

  /** How many subscribers the channel has. */
  subscribersOf(name: ChannelName): number {
    return this.#channels.get(name)?.size ?? 0;
  }

  /** The channels that have subscribers, with their numbers of subscribers, in no order. */
  *subscriberCounts(): Iterable<readonly [ChannelName, number]> {
    for (const [name, { size }] of this.#channels) if (size > 0) yield [name, size];
  }

  get channelsFollowed(): number {
    return this.#channels.size;
  }

  /** Writes the channel's events to the sink until {@link unsubscribe}. Writes nothing before this call returns. */
  subscribe(
    name: ChannelName,
    start: Start,
    sink: Sink,
    instruments: SubscriptionInstruments = this.#instruments,
  ): Subscription {
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel(name, this.#context);
      this.#channels.set(name, channel);
    }
    this.#idle.delete(name);
    const subscription = new Subscription(channel, start, sink, this.#loop, instruments);
    channel.add(subscription);
    return subscription;
  }

  /** Ends a subscription of {@link subscribe}. */
  unsubscribe(name: ChannelName, subscription: Subscription): void {
    subscription.end();
    if (this.#channels.get(name)?.size === 0 && !this.#idle.has(name))
      this.#idle.set(name, performance.now());
  }

  /**
   * Returns the state of a channel. Asks the log about a channel that this replica does not follow. Undefined when the log
   * does not answer in time.
   */
  stateOf(name: ChannelName): ChannelState | Promise<ChannelState | undefined> {
    return this.knownStateOf(name) ?? this.#questions.get(name) ?? this.#ask(name);
  }

  /** What this replica knows of a channel without asking the log; undefined when it does not know its tail now. */
  knownStateOf(name: ChannelName): ChannelState | undefined {
    return this.#channels.get(name)?.state;
  }

  /**
   * Reads the whole state of a channel from the log, in one step. A state of more than 2 MiB has a `next`.
   * @throws BrokerError `log-unavailable`
   */
  readState(name: ChannelName): Promise<LatestPage> {
    return this.#context.log.readLatest(name, undefined, WHOLE_STATE);
  }

  /**
   * Returns what a subscriber with this start would get first. The page that was read for the answer is kept for the subscription
   * that follows.
   * @throws BrokerError `log-unavailable` when the log cannot be read, or does not answer within a second
   */
  async firstOf(name: ChannelName, start: Start): Promise<FirstAnswer> {
    const sink = new FirstAnswerSink();
    const uncounted = { gap: () => this.#instruments.gap(), replayed: () => undefined };
    const subscription = this.subscribe(name, start, sink, uncounted);
    const timer = setTimeout(() => sink.waiting('timeout'), FIRST_TIMEOUT_MS);
    try {
      return await sink.answer;
    } finally {
      clearTimeout(timer);
      this.unsubscribe(name, subscription);
    }
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const channel of this.#channels.values()) channel.stop();
    this.#channels.clear();
    this.#idle.clear();
  }

  async #ask(name: ChannelName): Promise<ChannelState | undefined> {
    if (this.#questions.size >= MAX_STATE_QUESTIONS) return undefined;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(late.resolve, STATE_TIMEOUT_MS, undefined);
    const answer = this.#context.log
      .state(name)
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(timer);
        this.#questions.delete(name);
      });
    const question = Promise.race([answer, late.promise]);
    // A question stays here until the log has answered, so that slow answers do not add up.
    this.#questions.set(name, question);
    return question;
  }

  /** Stops channels in slices of the loop. With many channels, this takes long. */
  #stopIdle(): void {
    const now = performance.now();
    this.#loop.add({
      run: (until) => {
        let stopped = 0;
        for (const [name, since] of this.#idle) {
          if (now - since < LINGER_MS) break;
          this.#idle.delete(name);
          this.#channels.get(name)?.stop();
          this.#channels.delete(name);
          if ((++stopped & 31) === 0 && performance.now() >= until) return true;
        }
        return false;
      },
    });
  }
}
