import { randomUUID } from 'node:crypto';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import type { EventId } from '../../src/events/event.ts';
import { POLICY, appendOne } from './append-one.ts';
import { RedisClient } from '../../src/redis/redis-client.ts';
import type { RedisClientOptions } from '../../src/redis/redis-client.ts';
import { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';

/** A channel that no other test uses, and the names of its keys in Redis. */
export interface FreshChannel {
  readonly channel: ChannelName;
  readonly log: string;
  readonly tail: string;
  readonly ids: string;
  /** The newest event of each key, and their order. */
  readonly state: string;
  readonly order: string;
  readonly live: string;
  idempotency(key: string): string;
}

export const PREFIX = 'contract:';

export function freshChannel(channel = parseChannelName(`keys-${randomUUID()}`)): FreshChannel {
  const name = `${PREFIX}{${channel}}`;
  return {
    channel,
    log: `${name}:log`,
    tail: `${name}:tail`,
    ids: `${name}:ids`,
    state: `${name}:state`,
    order: `${name}:order`,
    live: `${name}:live`,
    idempotency: (key) => `${name}:idem:${key}`,
  };
}

/** Makes a log without waiting for its connections; there may be no server. */
export function newRedisLog(url: string, options: Partial<RedisClientOptions> = {}): RedisEventLog {
  const client = new RedisClient({ url, prefix: PREFIX, onHealth: () => undefined, ...options });
  return new RedisEventLog({ client, idempotencyTtl: 60_000 });
}

/** Appends events one after the other. */
export async function appendTexts(
  log: EventLog,
  channel: ChannelName,
  texts: readonly string[],
  policy = POLICY,
): Promise<EventId[]> {
  const ids: EventId[] = [];
  for (const text of texts) ids.push((await appendOne(log, channel, text, { policy })).id);
  return ids;
}
