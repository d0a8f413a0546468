import type { Config } from '../config/config.ts';
import type { ControlBus, ControlBusOptions } from '../replicas/control-bus.ts';
import type { EventLog } from '../log/event-log.ts';
import type { RateCounter } from '../auth/rate.ts';
import { MemoryControlBus } from '../replicas/memory-control-bus.ts';
import { MemoryEventLog } from '../log/embedded/memory-event-log.ts';
import { RedisClient } from '../redis/redis-client.ts';
import type { RedisClientOptions } from '../redis/redis-client.ts';
import { RedisControlBus } from '../replicas/redis-control-bus.ts';
import { RedisEventLog } from '../log/redis/redis-event-log.ts';
import { RedisRateCounter } from '../publish/redis-rate-counter.ts';

/** The log, the control bus and the shared counter. Closing the log closes all three. */
export interface Backbone {
  readonly log: EventLog;
  readonly control: ControlBus;
  /** Counts for all replicas together. Undefined with the embedded log, which serves one replica. */
  readonly counter: RateCounter | undefined;
}

/** The callbacks that report on Redis. */
export type LogNotices = Required<Pick<RedisClientOptions, 'onHealth' | 'onLogRefused' | 'onEviction'>>;

/** Called when the log drops keys of a channel, because there are too many. */
type OnKeysDropped = (keys: number) => void;

export function openBackbone(
  config: Config,
  replica: string,
  notices: LogNotices,
  onKeysDropped: OnKeysDropped,
): Backbone {
  return config.redisUrl === undefined
    ? embedded(config, replica, onKeysDropped)
    : inRedis(config, config.redisUrl, replica, notices, onKeysDropped);
}

function embedded(config: Config, replica: string, onKeysDropped: OnKeysDropped): Backbone {
  const log = new MemoryEventLog({
    idempotencyTtl: config.idempotencyTtl,
    maxBytes: config.memoryBytes,
    onKeysDropped,
  });
  const control = new MemoryControlBus(controlOptions(config, replica));
  return { log, control, counter: undefined };
}

function inRedis(
  config: Config,
  url: string,
  replica: string,
  notices: LogNotices,
  onKeysDropped: OnKeysDropped,
): Backbone {
  const client = new RedisClient({
    url,
    tls: { ca: config.redisTlsCa, cert: config.redisTlsCert, key: config.redisTlsKey },
    prefix: config.redisPrefix,
    waitReplicas: config.waitReplicas,
    ...notices,
  });
  const log = new RedisEventLog({
    client,
    idempotencyTtl: config.idempotencyTtl,
    onKeysDropped,
  });
  const control = new RedisControlBus({ client, ...controlOptions(config, replica) });
  return { log, control, counter: new RedisRateCounter(client) };
}

function controlOptions(config: Config, replica: string): ControlBusOptions {
  return { replica, revocationTtl: config.revocationTtl };
}
