import { Buffer } from 'node:buffer';
import { parseChannelName } from '../events/channel-name.ts';
import type { ChannelName } from '../events/channel-name.ts';
import { BrokerError } from '../events/errors.ts';
import { MAX_ANSWER_BYTES } from './control-bus.ts';
import type { ControlBus, Json } from './control-bus.ts';
import { QuestionInParts } from './question-in-parts.ts';

/** The kind of the question. Its payload is `{"after": <name>}`: the answer has the names after this one, in order. */
const CHANNELS = 'channels';

/** The largest number of channels in a list. */
const MAX_CHANNELS = 10_000;
/** Bytes of the names in one answer, as JSON. The fields around them fit, too. */
const ANSWER_BYTES = MAX_ANSWER_BYTES - 1024;

export interface SubscribedChannelsOptions {
  readonly control: Pick<ControlBus, 'answer' | 'ask'>;
  /** The channels that have subscribers at this replica. */
  readonly hub: {
    readonly subscribedCount: number;
    subscribedChannels(): Iterable<ChannelName>;
  };
}

export interface SubscribedList {
  readonly names: readonly ChannelName[];
  /** Whether every replica has answered. */
  readonly complete: boolean;
}

/** The answer of one replica: a part of its names. */
interface Answer {
  /** How many channels of the replica have subscribers. */
  readonly count: number;
  /** In order. Empty when the count is too large. */
  readonly names: readonly string[];
  /** Whether there are names after these. */
  readonly more: boolean;
}

/** Knows the channels that have a subscriber at any replica now. Asks every replica each time, and keeps nothing. */
export class SubscribedChannels {
  readonly #options: SubscribedChannelsOptions;

  constructor(options: SubscribedChannelsOptions) {
    this.#options = options;
    options.control.answer(CHANNELS, async (payload) => this.#answer(payload));
  }

  /** @throws BrokerError `too-many-channels`, `log-unavailable` when the replicas cannot be asked */
  async list(): Promise<SubscribedList> {
    const names = new Set<ChannelName>();
    const question = new QuestionInParts(this.#options.control, CHANNELS);
    for (let from: string | undefined = ''; from !== undefined;) {
      let next: string | undefined;
      for (const { part } of await question.ask({ after: from }, readAnswer)) {
        if (part.count > MAX_CHANNELS) throw tooMany();
        for (const name of part.names) names.add(name as ChannelName);
        // The replicas have different names. The next question begins where the first of them stopped.
        const last = part.more ? part.names.at(-1) : undefined;
        if (last !== undefined && last > from && (next === undefined || last < next)) next = last;
      }
      if (names.size > MAX_CHANNELS) throw tooMany();
      from = next;
    }
    return { names: [...names], complete: question.complete };
  }

  #answer(payload: Json): Json {
    const { hub } = this.#options;
    const count = hub.subscribedCount;
    if (count > MAX_CHANNELS) return { count, names: [], more: false };
    const { after } = payload as { readonly after?: Json };
    const start = typeof after === 'string' ? after : '';
    const rest = [...hub.subscribedChannels()].filter((name) => name > start).toSorted(byCodeUnit);
    let bytes = 0;
    const fits = rest.findIndex((name) => (bytes += Buffer.byteLength(name) + 3) > ANSWER_BYTES);
    const names = fits < 0 ? rest : rest.slice(0, fits);
    return { count, names, more: names.length < rest.length };
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Returns undefined for an answer of another form: another release of the broker may have made it. */
function readAnswer(answer: Json): Answer | undefined {
  const { count, names, more } = (answer ?? {}) as { readonly [name: string]: Json };
  if (typeof count !== 'number' || typeof more !== 'boolean' || !Array.isArray(names)) return undefined;
  return names.every(isChannelName) ? { count, names, more } : undefined;
}

function isChannelName(name: unknown): name is string {
  try {
    return typeof name === 'string' && parseChannelName(name) === name;
  } catch {
    return false;
  }
}

function tooMany(): BrokerError {
  return new BrokerError(
    'too-many-channels',
    `More than ${MAX_CHANNELS} channels have subscribers. Nothing was published.`,
  );
}
