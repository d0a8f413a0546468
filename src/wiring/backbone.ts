import type { Config } from '../config.ts';
import type { ControlBus, ControlBusOptions } from '../core/control-bus.ts';
import type { EventLog } from '../core/event-log.ts';
import type { RateCounter } from '../core/rate.ts';
import { MemoryControlBus } from '../logs/memory-control-bus.ts';
import { MemoryEventLog } from '../logs/memory-event-log.ts';
import { RedisEventLog } from '../logs/redis/redis-event-log.ts';
import type { RedisEventLogOptions } from '../logs/redis/redis-event-log.ts';

/** Where events are kept, and how the replicas talk to each other. */
export interface Backbone {
  readonly log: EventLog;
  readonly control: ControlBus;
  /** Counts for all replicas together; undefined where there is only one. */
  readonly counter: RateCounter | undefined;
}

/** What is heard of Redis while it is used. */
export type LogNotices = Required<Pick<RedisEventLogOptions, 'onHealth' | 'onRefused' | 'onEviction'>>;

export function openBackbone(config: Config, replica: string, notices: LogNotices): Backbone {
  return config.redisUrl === undefined
    ? embedded(config, replica)
    : inRedis(config, config.redisUrl, replica, notices);
}

function embedded(config: Config, replica: string): Backbone {
  const log = new MemoryEventLog({
    historySize: config.historySize,
    historyTtl: config.historyTtl,
    idempotencyTtl: config.idempotencyTtl,
    maxBytes: config.memoryBytes,
  });
  const control = new MemoryControlBus(controlOptions(config, replica));
  return { log, control, counter: undefined };
}

function inRedis(config: Config, url: string, replica: string, notices: LogNotices): Backbone {
  const log = new RedisEventLog({
    url,
    tls: { ca: config.redisTlsCa, cert: config.redisTlsCert, key: config.redisTlsKey },
    prefix: config.redisPrefix,
    waitReplicas: config.waitReplicas,
    historySize: config.historySize,
    historyTtl: config.historyTtl,
    idempotencyTtl: config.idempotencyTtl,
    ...notices,
  });
  return { log, control: log.controlBus(controlOptions(config, replica)), counter: log };
}

function controlOptions(config: Config, replica: string): ControlBusOptions {
  return { replica, revocationTtl: config.revocationTtl };
}
