import { resolve } from 'node:path';
import { ConfigError } from '../config/config.ts';
import type { Config } from '../config/config.ts';
import type { ControlBus, ControlBusOptions } from '../replicas/control-bus.ts';
import { DiskEventLog } from '../log/disk/disk-event-log.ts';
import type { DiskEventLogOptions } from '../log/disk/disk-event-log.ts';
import { LogStartError } from '../log/disk/log-start-error.ts';
import type { StorageFigures } from '../log/disk/storage.ts';
import { HEALTHY } from '../log/event-log.ts';
import type { EventLog } from '../log/event-log.ts';
import type { RateCounter } from '../auth/rate.ts';
import { MemoryControlBus } from '../replicas/memory-control-bus.ts';
import type { RevocationStore } from '../replicas/memory-control-bus.ts';
import { revocationKey, revocationOf } from '../replicas/revocation.ts';
import type { Revocation } from '../replicas/revocation.ts';
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
  /** Revocations that were made before the start, and that every request has to find. With Redis, they are read later. */
  readonly revocations: readonly Revocation[];
  /** Undefined when the log is not on disk. */
  readonly figures: (() => Promise<StorageFigures>) | undefined;
}

/** The callbacks that report on the log. */
export type LogNotices = Required<Pick<RedisClientOptions, 'onHealth' | 'onLogRefused' | 'onEviction'>> &
  Pick<DiskEventLogOptions, 'onNotice'>;

/** What the log counts. */
export interface LogCounts {
  /** Called when the log drops keys of a channel, because there are too many. */
  readonly keysDropped: (keys: number) => void;
  /** Called after each commit of the log on disk. */
  readonly committed: (events: number) => void;
  /** Called after each sync of the log on disk. */
  readonly synced: (seconds: number) => void;
}

/** @throws ConfigError when the log on disk cannot be opened */
export async function openBackbone(
  config: Config,
  replica: string,
  notices: LogNotices,
  counts: LogCounts,
): Promise<Backbone> {
  if (config.redisUrl !== undefined) return inRedis(config, config.redisUrl, replica, notices, counts);
  if (config.dataDir !== undefined) return onDisk(config, config.dataDir, replica, notices, counts);
  return inMemory(config, replica, counts);
}

function inMemory(config: Config, replica: string, { keysDropped }: LogCounts): Backbone {
  const log = new MemoryEventLog({
    idempotencyTtl: config.idempotencyTtl,
    maxBytes: config.memoryBytes,
    onKeysDropped: keysDropped,
  });
  const control = new MemoryControlBus(controlOptions(config, replica));
  return { log, control, counter: undefined, revocations: [], figures: undefined };
}

async function onDisk(
  config: Config,
  folder: string,
  replica: string,
  notices: LogNotices,
  counts: LogCounts,
): Promise<Backbone> {
  const { dataBytes, memoryBytes, idempotencyTtl, revocationTtl } = config;
  const log = await DiskEventLog.open({
    thread: {
      storage: { folder: resolve(folder), dataBytes, memoryBytes, idempotencyTtl, revocationTtl },
      pace: config.sync,
    },
    ...notices,
    onKeysDropped: counts.keysDropped,
    onCommitted: counts.committed,
    onSynced: counts.synced,
  }).catch((error: unknown): never => {
    throw error instanceof LogStartError ? new ConfigError([`SLUICE_DATA_DIR: ${error.message}`]) : error;
  });
  const kept: Revocation[] = [];
  for await (const page of log.revocations())
    kept.push(...page.map(({ key, until }) => revocationOf(key, until)));
  const store: RevocationStore = {
    kept,
    keep: (revocations, onLate) =>
      log.revoke(
        revocations.map((one) => ({ key: revocationKey(one), until: one.until })),
        onLate,
      ),
  };
  notices.onHealth(HEALTHY);
  const control = new MemoryControlBus({ ...controlOptions(config, replica), store });
  return { log, control, counter: undefined, revocations: kept, figures: () => log.figures() };
}

function inRedis(
  config: Config,
  url: string,
  replica: string,
  notices: LogNotices,
  { keysDropped }: LogCounts,
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
    onKeysDropped: keysDropped,
  });
  const control = new RedisControlBus({ client, ...controlOptions(config, replica) });
  const counter = new RedisRateCounter(client);
  return { log, control, counter, revocations: [], figures: undefined };
}

function controlOptions(config: Config, replica: string): ControlBusOptions {
  return { replica, revocationTtl: config.revocationTtl };
}
