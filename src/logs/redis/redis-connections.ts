import { Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';

/** A publish is refused after so many ms, so that the publisher has its 503 within a second. */
const COMMAND_TIMEOUT = 800;
/** A connection that owes us an answer and has been silent for so many ms is dead. */
const SILENCE = 4_000;

export interface RedisConnections {
  /** Fails at once when Redis is away, and never sends a command twice. */
  readonly commands: Redis;
  /** Patient; who subscribes to what after a reconnect is decided by the follower alone. */
  readonly subscriber: Redis;
}

/** Neither is connected yet, so that listeners can be attached first. */
export function createRedisConnections(url: string): RedisConnections {
  const common: Omit<RedisOptions, 'replyMapping'> = {
    lazyConnect: true,
    enableOfflineQueue: false,
    // Sending again what was not answered could run an append twice.
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    connectTimeout: 3_000,
    socketTimeout: SILENCE,
    keepAlive: 5_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000) * (0.75 + Math.random() / 2),
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
  return {
    commands: new Redis(url, {
      ...common,
      connectionName: 'sluice-commands',
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT,
    }),
    subscriber: new Redis(url, {
      ...common,
      connectionName: 'sluice-subscriber',
      maxRetriesPerRequest: null,
    }),
  };
}
