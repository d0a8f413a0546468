import { Buffer } from 'node:buffer';
import type { FairLoop } from '../delivery/fair-loop.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { MAX_ANSWER_BYTES } from '../replicas/control-bus.ts';
import type { ControlBus, Json } from '../replicas/control-bus.ts';
import { ACTIVITY_SECONDS } from './channel-activity.ts';
import type { ChannelActivity } from './channel-activity.ts';

/** The kind of the question. Its answer has a list of `[channel, count]` for each of {@link LISTS}. */
const BUSIEST = 'busiest';
const LISTS = ['deliveries', 'publishes', 'subscribers'] as const;

/**
 * How many channels a replica names in each list. The asking replica sums up the counts of a channel, so a replica names more
 * channels than anybody may ask for: a channel may be among the busiest only on all replicas together.
 */
const NAMED = 200;
/** The bytes of one list of an answer, as JSON. */
const LIST_BYTES = Math.floor((MAX_ANSWER_BYTES - 1024) / LISTS.length);

export interface BusiestChannelsOptions {
  readonly control: Pick<ControlBus, 'answer' | 'ask'>;
  readonly loop: Pick<FairLoop, 'forEach'>;
  readonly activity: Pick<ChannelActivity, 'sums'>;
  /** The channels that have subscribers at this replica, with their numbers of subscribers. */
  readonly hub: { subscriberCounts(): Iterable<readonly [ChannelName, number]> };
}

interface CountedChannel {
  readonly channel: string;
  readonly count: number;
}

type Lists = Readonly<Record<(typeof LISTS)[number], readonly CountedChannel[]>>;

/** The largest count first. */
export interface Busiest extends Lists {
  /** Deliveries and publishes of this many seconds. */
  readonly seconds: number;
  /** Whether every replica has answered. */
  readonly complete: boolean;
}

/** Finds the busiest channels of all replicas. */
export class BusiestChannels {
  readonly #options: BusiestChannelsOptions;

  constructor(options: BusiestChannelsOptions) {
    this.#options = options;
    options.control.answer(BUSIEST, () => this.#answer());
  }

  /**
   * @param most the length of each list
   * @throws BrokerError `log-unavailable` when the replicas cannot be asked
   */
  async list(most: number): Promise<Busiest> {
    const { answers, missing } = await this.#options.control.ask(BUSIEST, {});
    const listOf = (name: (typeof LISTS)[number]): readonly CountedChannel[] => {
      const sums = new Map<string, number>();
      for (const { answer } of answers) {
        for (const [channel, count] of countsIn((answer as { readonly [list: string]: Json } | null)?.[name]))
          sums.set(channel, (sums.get(channel) ?? 0) + count);
      }
      const top = new TopList(most);
      for (const [channel, count] of sums) top.add(channel, count);
      return top.sorted();
    };
    return {
      seconds: ACTIVITY_SECONDS,
      deliveries: listOf('deliveries'),
      publishes: listOf('publishes'),
      subscribers: listOf('subscribers'),
      complete: missing === 0,
    };
  }

  async #answer(): Promise<Json> {
    const { activity, hub, loop } = this.#options;
    const sums = await activity.sums(loop);
    const [deliveries, publishes, subscribers] = [new TopList(NAMED), new TopList(NAMED), new TopList(NAMED)];
    await loop.forEach(sums, ([channel, counts]) => {
      deliveries.add(channel, counts.deliveries);
      publishes.add(channel, counts.publishes);
    });
    await loop.forEach(hub.subscriberCounts(), ([channel, count]) => subscribers.add(channel, count));
    return {
      deliveries: bounded(deliveries),
      publishes: bounded(publishes),
      subscribers: bounded(subscribers),
    };
  }
}

/** The channels with the largest counts of many. It holds at most twice as many channels as it returns. */
class TopList {
  readonly #most: number;
  #kept: CountedChannel[] = [];
  /** Counts up to this one are too small. */
  #tooSmall = 0;

  constructor(most: number) {
    this.#most = most;
  }

  add(channel: string, count: number): void {
    if (count <= this.#tooSmall) return;
    this.#kept.push({ channel, count });
    if (this.#kept.length < 2 * this.#most) return;
    this.#kept = this.sorted();
    this.#tooSmall = this.#kept.at(-1)?.count ?? 0;
  }

  sorted(): CountedChannel[] {
    const inOrder = this.#kept.toSorted((a, b) => b.count - a.count || (a.channel < b.channel ? -1 : 1));
    return inOrder.slice(0, this.#most);
  }
}

/** The list as JSON, as far as it fits into an answer. */
function bounded(top: TopList): Json {
  const list: [string, number][] = [];
  let bytes = 0;
  for (const { channel, count } of top.sorted()) {
    bytes += Buffer.byteLength(JSON.stringify([channel, count])) + 1;
    if (bytes > LIST_BYTES) break;
    list.push([channel, count]);
  }
  return list;
}

/** Leaves out what has another form: another release of the broker may have made it. */
function countsIn(list: Json | undefined): [string, number][] {
  if (!Array.isArray(list)) return [];
  return list.filter(
    (one): one is [string, number] =>
      Array.isArray(one) && typeof one[0] === 'string' && typeof one[1] === 'number',
  );
}
