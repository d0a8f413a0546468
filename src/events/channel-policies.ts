import type { ChannelName } from './channel-name.ts';
import { matchesAny } from './channel-pattern.ts';
import type { ChannelPattern } from './channel-pattern.ts';

/** Which events a log keeps of one channel. */
export interface HistoryPolicy {
  /** The largest number of events. With 0 the log keeps no event, and still knows the tail. */
  readonly size: number;
  /** How long an event is kept, in ms. */
  readonly ttl: number;
  /** The largest number of keys whose newest event is kept beside the history. Default: {@link DEFAULT_KEYS}. */
  readonly keys?: number | undefined;
}

/** How many keys a channel has at most, unless a rule says otherwise. */
export const DEFAULT_KEYS = 1_000;
/** The largest `keys` of a rule: a log reads the newest events of all keys in one step. */
export const MAX_KEYS = 10_000;

/** The policy of the channels that match a pattern. The settings for all channels give what a rule leaves out. */
export interface ChannelRule {
  readonly match: ChannelPattern;
  readonly history: { readonly size?: number | undefined; readonly ttl?: number | undefined };
  /** Whether anyone may subscribe without a token. */
  readonly isPublic: boolean | undefined;
  /** The largest number of keys. */
  readonly keys?: number | undefined;
  /** Whether all events without a key are events of one and the same key. */
  readonly latest?: boolean | undefined;
}

/** The settings for all channels. */
export interface PolicyDefaults {
  readonly history: HistoryPolicy;
  readonly publicChannels: readonly ChannelPattern[];
}

/** A rule in the form that makes the search fast. */
interface PreparedRule {
  /** A channel's name, or a prefix. */
  readonly text: string;
  readonly isPrefix: boolean;
  readonly history: HistoryPolicy;
  readonly isPublic: boolean | undefined;
  readonly latest: boolean;
}

/**
 * The policy of each channel (docs/protocol.md §9). The first rule that matches a channel decides. Each lookup goes through
 * the rules, of which there are at most 100.
 */
export class ChannelPolicies {
  readonly #defaults: PolicyDefaults;
  readonly #rules: readonly PreparedRule[];
  readonly #hasLatest: boolean;

  constructor(rules: readonly ChannelRule[], defaults: PolicyDefaults) {
    this.#defaults = defaults;
    this.#rules = rules.map(({ match, history, isPublic, keys, latest = false }) => {
      const isPrefix = match.endsWith('*');
      const { size = defaults.history.size, ttl = defaults.history.ttl } = history;
      return {
        text: isPrefix ? match.slice(0, -1) : match,
        isPrefix,
        history: { size, ttl, keys },
        isPublic,
        latest,
      };
    });
    this.#hasLatest = this.#rules.some(({ latest }) => latest);
  }

  historyOf(channel: ChannelName): HistoryPolicy {
    return this.#ruleOf(channel)?.history ?? this.#defaults.history;
  }

  /** Whether the channel's newest event without a key is kept as the event of one key, the empty one. */
  isLatest(channel: ChannelName): boolean {
    return this.#hasLatest && (this.#ruleOf(channel)?.latest ?? false);
  }

  /** Whether anyone may subscribe to the channel without a token. */
  isPublic(channel: ChannelName): boolean {
    return this.#ruleOf(channel)?.isPublic ?? matchesAny(this.#defaults.publicChannels, channel);
  }

  #ruleOf(channel: string): PreparedRule | undefined {
    for (const rule of this.#rules) {
      if (rule.isPrefix ? channel.startsWith(rule.text) : channel === rule.text) return rule;
    }
    return undefined;
  }
}
