import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { HostAndPort, RedisAddress } from './redis-address.ts';

/** A publish is refused after so many ms, so that the publisher has its 503 within a second. */
const COMMAND_TIMEOUT = 800;
/** A connection that owes us an answer and has been silent for so many ms is dead. */
const SILENCE = 4_000;
/** How often the layout of a cluster is looked at; a moved slot is also noticed by what it answers. */
const SLOTS_REFRESH = 3_000;

/** ioredis types this one in a way that no value satisfies under exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** Neither these nor any other connection is opened here, so that listeners can be attached first. */
const COMMON: Options = {
  lazyConnect: true,
  enableOfflineQueue: false,
  // Sending again what was not answered could run an append twice.
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  connectTimeout: 3_000,
  socketTimeout: SILENCE,
  keepAlive: 5_000,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000) * (0.75 + Math.random() / 2),
};

/** Fails at once when Redis is away, and never sends a command twice. */
const COMMANDS: Options = {
  connectionName: 'sluice-commands',
  maxRetriesPerRequest: 0,
  commandTimeout: COMMAND_TIMEOUT,
};

/** Patient; who subscribes to what after a reconnect is decided by the follower alone. */
const SUBSCRIBER: Options = { connectionName: 'sluice-subscriber', maxRetriesPerRequest: null };

/** For commands to one server, or to the one that Sentinels name. */
export function connectCommands(address: Exclude<RedisAddress, { kind: 'cluster' }>): Redis {
  // A failover leaves us connected to what is a replica now; connected anew, we find the master.
  return connect(address, { ...COMMANDS, reconnectOnError: (error) => error.message.startsWith('READONLY') });
}

/** For announcements from one server, or from the one that Sentinels name. */
export function connectSubscriber(address: Exclude<RedisAddress, { kind: 'cluster' }>): Redis {
  return connect(address, SUBSCRIBER);
}

/** For commands to a cluster: each goes to the node that has its slot. */
export function connectCluster(address: Extract<RedisAddress, { kind: 'cluster' }>): Cluster {
  return new Cluster([...address.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    slotsRefreshInterval: SLOTS_REFRESH,
    slotsRefreshTimeout: 1_000,
    // A command whose connection broke may have run: what is unknown is the publisher's to send again.
    retryDelayOnFailover: 0,
    clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    redisOptions: { ...withoutRetries(COMMON), ...COMMANDS, ...accessOf(address) },
  });
}

/** For announcements from one node of a cluster. */
export function connectNodeSubscriber(
  address: Extract<RedisAddress, { kind: 'cluster' }>,
  node: HostAndPort,
): Redis {
  return new Redis({ ...COMMON, ...SUBSCRIBER, ...accessOf(address), ...node });
}

function connect(address: Exclude<RedisAddress, { kind: 'cluster' }>, own: Options): Redis {
  if (address.kind === 'single') return new Redis(address.url, { ...COMMON, ...own });
  return new Redis({
    ...COMMON,
    ...own,
    sentinels: [...address.sentinels],
    name: address.name,
    db: address.db,
    ...accessOf(address),
    ...(address.sentinelUsername !== undefined && { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword !== undefined && { sentinelPassword: address.sentinelPassword }),
    enableTLSForSentinelMode: address.tls,
    // Sentinels are asked anew at each connect; this listens for a switch while connected, too.
    failoverDetector: true,
    sentinelRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    sentinelCommandTimeout: 1_000,
  });
}

function accessOf({ username, password, tls }: Extract<RedisAddress, { tls: boolean }>): Options {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: {} }),
  };
}

/** A cluster's nodes are connected to anew by the cluster itself. */
function withoutRetries({
  retryStrategy: _retry,
  enableOfflineQueue: _queue,
  lazyConnect: _lazy,
  ...rest
}: Options): Options {
  return rest;
}
