import type { ChannelName } from '../../events/channel-name.ts';
import type { HistoryPolicy } from '../../events/channel-policies.ts';
import type { RedisClient, ScriptHead } from '../../redis/redis-client.ts';
import { TAIL_TTL_MS } from '../event-log.ts';

/** The unit in which append.lua compares times to decide when the state gets a new expiry, in ms. */
const EXPIRY_UNIT_MS = 10_000_000;
/** The largest number of channels whose heads are kept. A head takes about 500 bytes. */
const MAX_KEPT = 8_192;

/** What an append has besides its events and its policy. */
interface AppendConditions {
  /** The keys that remember its idempotency key. */
  readonly keys: readonly string[];
  readonly ifLast: string;
  readonly end: boolean;
  /** The number of events. */
  readonly count: number;
}

const PLAIN: AppendConditions = { keys: [], ifLast: '', end: false, count: 1 };

interface KeptHead {
  readonly policy: HistoryPolicy;
  readonly head: ScriptHead;
}

/** The keys and first arguments of append.lua. Those of plain appends of one event are kept for the next ones of the channel. */
export class AppendHeads {
  readonly #client: RedisClient;
  readonly #idempotencyTtl: number;
  readonly #kept = new Map<ChannelName, KeptHead>();
  /** The unit of time in the kept heads. */
  #unit = 0;

  /** @param idempotencyTtl how long an idempotency key is remembered, in ms */
  constructor(client: RedisClient, idempotencyTtl: number) {
    this.#client = client;
    this.#idempotencyTtl = idempotencyTtl;
  }

  /** The head of an append of one event, without conditions. */
  of(channel: ChannelName, policy: HistoryPolicy): ScriptHead {
    const kept = this.#kept;
    const unit = Math.floor(Date.now() / EXPIRY_UNIT_MS);
    if (unit !== this.#unit) kept.clear();
    this.#unit = unit;
    const known = kept.get(channel);
    if (known !== undefined && known.policy.size === policy.size && known.policy.ttl === policy.ttl)
      return known.head;
    if (kept.size >= MAX_KEPT) kept.clear();
    const head = this.make(channel, policy, PLAIN);
    kept.set(channel, { policy, head });
    return head;
  }

  make(channel: ChannelName, { size, ttl }: HistoryPolicy, conditions: AppendConditions): ScriptHead {
    const { keys: names, publish } = this.#client;
    const { keys, ifLast, end, count } = conditions;
    return this.#client.appendHead(
      [...names.channelWithState(channel), ...keys],
      [
        size,
        ttl,
        ttl + TAIL_TTL_MS,
        this.#idempotencyTtl,
        names.live(channel),
        publish,
        ifLast,
        end ? 1 : 0,
        count,
        Math.floor(Date.now() / EXPIRY_UNIT_MS),
      ],
    );
  }
}
