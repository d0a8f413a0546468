import type { ChannelName } from '../events/channel-name.ts';
import { DEFAULT_KEYS } from '../events/channel-policies.ts';
import type { ChannelPolicies, HistoryPolicy } from '../events/channel-policies.ts';
import { BrokerError } from '../events/errors.ts';
import type { EventId } from '../events/event.ts';
import type { LogCatalog } from '../log/event-log.ts';
import type { ChannelSubscribers, ListedSubscriber } from './channel-subscribers.ts';

/** How many channels of a list are described in one turn of the event loop. More of them would hold up publishes. */
const DESCRIBED_AT_ONCE = 50;

export interface ChannelInspectorOptions {
  readonly catalog: LogCatalog;
  readonly policies: Pick<ChannelPolicies, 'historyOf' | 'isPublic' | 'isLatest'>;
  readonly subscribers: ChannelSubscribers;
}

/** What the log knows of a channel. */
export interface ChannelSummary {
  readonly channel: ChannelName;
  /** The oldest kept event; null without one. */
  readonly first: EventId | null;
  /** The tail. */
  readonly last: EventId;
  /** The number of kept events. */
  readonly length: number;
  readonly ended: boolean;
}

/** The policy in force, in the words of a rule of SLUICE_CHANNELS. */
interface ChannelPolicy {
  readonly history: Pick<HistoryPolicy, 'size' | 'ttl'>;
  readonly public: boolean;
  readonly latest: boolean;
  readonly keys: number;
}

export interface ChannelDescription extends ChannelSummary {
  /** Estimated: the memory that the channel takes in the log. */
  readonly bytes: number;
  readonly keys: number;
  readonly policy: ChannelPolicy;
  /** At all replicas that answered. */
  readonly subscribers: number;
  /** Whether every replica has answered. */
  readonly complete: boolean;
}

export interface DescribedSubscriber extends Omit<ListedSubscriber, 'since'> {
  /** When the stream opened, by ISO 8601. */
  readonly since: string;
  /** How many kept events come after the position; null without a position. */
  readonly behind: number | null;
}

/** Describes channels to those who look in: what the log has, and who listens. */
export class ChannelInspector {
  readonly #options: ChannelInspectorOptions;

  constructor(options: ChannelInspectorOptions) {
    this.#options = options;
  }

  /**
   * One page of the channels; {@link LogCatalog.list} says which.
   * @throws BrokerError `log-unavailable`, `invalid-query`
   */
  async list(request: {
    readonly prefix: string;
    readonly cursor: string | undefined;
    readonly limit: number;
  }): Promise<{ readonly channels: readonly ChannelSummary[]; readonly next: string | null }> {
    const { channels: names, next = null } = await this.#options.catalog.list(request);
    const channels: ChannelSummary[] = [];
    for (let at = 0; at < names.length; at += DESCRIBED_AT_ONCE) {
      // The log in memory answers at once, and does not leave the turn by itself.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const some = names.slice(at, at + DESCRIBED_AT_ONCE);
      const described = await Promise.all(some.map((name) => this.#summary(name)));
      channels.push(...described.filter((one) => one !== undefined));
    }
    return { channels, next };
  }

  /** @throws BrokerError `log-unavailable` */
  async describe(channel: ChannelName): Promise<ChannelDescription> {
    const { catalog, policies, subscribers } = this.#options;
    const kept = policies.historyOf(channel);
    const [about, { count, complete }] = await Promise.all([
      catalog.about(channel, kept),
      subscribers.count(channel),
    ]);
    const { state, first, length, bytes, keys } = about;
    return {
      channel,
      first,
      last: state.tail,
      length,
      bytes,
      ended: state.status === 'ended',
      keys,
      policy: {
        history: { size: kept.size, ttl: kept.ttl },
        public: policies.isPublic(channel),
        latest: policies.isLatest(channel),
        keys: kept.keys ?? DEFAULT_KEYS,
      },
      subscribers: count,
      complete,
    };
  }

  /**
   * Who listens to the channel.
   * @param subject lists only streams of tokens with this `sub`
   * @param limit at most 1,000
   * @throws BrokerError `log-unavailable`
   */
  async subscribers(
    channel: ChannelName,
    subject: string | undefined,
    limit: number,
  ): Promise<{
    readonly channel: ChannelName;
    readonly count: number;
    readonly subscribers: readonly DescribedSubscriber[];
    readonly complete: boolean;
  }> {
    const { catalog, policies, subscribers } = this.#options;
    const { count, complete, subscribers: listed } = await subscribers.list(channel, subject, limit);
    const positions = [...new Set(listed.map(({ position }) => position).filter((one) => one !== null))];
    const counts = await catalog.countAfter(channel, positions, policies.historyOf(channel));
    const behind = new Map(positions.map((position, index) => [position, counts[index]]));
    return {
      channel,
      count,
      subscribers: listed.map(({ sub, replica, since, position }) => ({
        sub,
        replica,
        since: new Date(since).toISOString(),
        position,
        behind: (position === null ? null : behind.get(position)) ?? null,
      })),
      complete,
    };
  }

  /** Returns undefined for values that no broker has written: they must not hide the other channels. */
  async #summary(channel: ChannelName): Promise<ChannelSummary | undefined> {
    const { catalog, policies } = this.#options;
    try {
      const { state, first, length } = await catalog.about(channel, policies.historyOf(channel));
      return { channel, first, last: state.tail, length, ended: state.status === 'ended' };
    } catch (error) {
      if (error instanceof BrokerError && error.trouble === 'WRONGTYPE') return undefined;
      throw error;
    }
  }
}
