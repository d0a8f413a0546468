import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { HostAndPort, RedisAccess, RedisAddress } from './redis-address.ts';
import { saysNothing, troubleOf } from './redis-trouble.ts';

/** A command fails after this time, in ms, so that a publisher gets its 503 within a second. */
const COMMAND_TIMEOUT_MS = 800;
/** A connection that owes an answer and receives nothing for this long counts as dead, in ms. */
const SILENCE_MS = 4_000;
/** Between two reconnections because of READONLY, in ms. A reconnection may find another server at the same name. */
const READONLY_PAUSE_MS = 5_000;
/** Between two checks of a server that loads its data, in ms. */
const LOADING_RETRY_MS = 1_000;
/** Between two reads of a cluster's layout, in ms. A MOVED answer causes one more. */
const SLOTS_REFRESH_MS = 3_000;

/**
 * ioredis listens to the first error of a connection only. A TLS connection that is closed during its handshake can have two
 * errors: it does not trust the server, and the server then rejects how the connection was closed. A second error without
 * a listener would end the process. ioredis makes some connections where no option of ours reaches, so this listens on
 * all connections that the process makes. Other listeners are called as before.
 */
subscribe('net.client.socket', (message) => {
  (message as { readonly socket: Socket }).socket.on('error', () => undefined);
});

/** Options of TLS connections to Redis, in PEM. Without a CA, connections trust the authorities that Node knows. */
export interface RedisTls {
  readonly ca?: string | undefined;
  /** The client certificate, for servers that ask for one (tls-auth-clients). */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** No value satisfies ioredis' type of `replyMapping` under exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** No connection is opened in this file, so that listeners can be attached first. */
const COMMON: Options = {
  lazyConnect: true,
  enableOfflineQueue: false,
  // Sending unanswered commands again could run an append twice.
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  // The user then needs no right to CLIENT SETINFO. The connection names hold the same information.
  disableClientInfo: true,
  connectTimeout: 3_000,
  socketTimeout: SILENCE_MS,
  keepAlive: 5_000,
  maxLoadingRetryTime: LOADING_RETRY_MS,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000) * (0.75 + Math.random() / 2),
};

/** Fails at once when Redis is away, and never sends a command twice. */
const COMMANDS: Options = {
  connectionName: 'sluice-commands',
  maxRetriesPerRequest: 0,
  commandTimeout: COMMAND_TIMEOUT_MS,
};

/**
 * A page may be large and the network slow, and no request waits for a page. A dead connection is closed sooner, after
 * SILENCE_MS.
 */
const READS: Options = { ...COMMANDS, connectionName: 'sluice-reads', commandTimeout: 10_000 };

/** Reconnects for ever. SubscriberConnection alone decides what is subscribed after a reconnect. */
const SUBSCRIBER: Options = { connectionName: 'sluice-subscriber', maxRetriesPerRequest: null };

/** The address of one server at a time: a fixed server, or the server that Sentinels name. */
export type ServerAddress = Exclude<RedisAddress, { kind: 'cluster' }>;
export type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>;

/** For commands to one server, or to the server that Sentinels name. */
export function connectCommands(address: ServerAddress, tls: RedisTls): Redis {
  let reconnectedAt = -Infinity;
  // After a failover this may be a connection to a replica, and a new connection finds the master. Reconnects only now and
  // then: without another server, each publish would close the connection over which subscribers still read.
  const reconnectOnError = (error: Error): boolean => {
    const now = performance.now();
    if (!error.message.startsWith('READONLY') || now - reconnectedAt < READONLY_PAUSE_MS) return false;
    reconnectedAt = now;
    return true;
  };
  return connect(address, tls, { ...COMMANDS, reconnectOnError });
}

/** For pages from the same server, so that answers to publishes do not wait behind pages. */
export function connectReads(address: ServerAddress, tls: RedisTls, commands: Redis): Redis {
  const reads = connect(address, tls, READS);
  // The other connections report why Redis is away.
  reads.on('error', () => undefined);
  commands.once('ready', () => {
    // The commands may have reconnected to another server.
    commands.on('ready', () => {
      if (reads.status === 'ready') reads.disconnect(true);
    });
  });
  return reads;
}

/** For announcements from one server, or from the server that Sentinels name. */
export function connectSubscriber(address: ServerAddress, tls: RedisTls): Redis {
  return connect(address, tls, SUBSCRIBER);
}

/** For commands to a cluster: each goes to the node that has its slot. */
export function connectCluster(
  address: ClusterAddress,
  tls: RedisTls,
  purpose: 'commands' | 'reads' = 'commands',
): Cluster {
  const own = purpose === 'reads' ? READS : COMMANDS;
  const cluster = new Cluster([...address.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    // Keeps the host name, because the node's certificate has it. ioredis would use the address.
    dnsLookup: (name, done) => done(null, name),
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: 1_000,
    // Does not repeat a command whose connection broke, because the command may have run. The publisher decides.
    retryDelayOnFailover: 0,
    // Does not delay a command that the cluster refuses: its publisher gets the reason within a second.
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    redisOptions: { ...withoutRetries(COMMON), ...own, ...accessOf(address, tls) },
  });
  if (purpose === 'reads') cluster.on('error', () => undefined);
  return cluster;
}

/** For announcements from one node of a cluster. */
export function connectNodeSubscriber(address: ClusterAddress, tls: RedisTls, node: HostAndPort): Redis {
  return new Redis({ ...COMMON, ...SUBSCRIBER, ...accessOf(address, tls), ...node });
}

/** Why the last attempt to connect has failed; undefined while the connection is ready. Listens to errors from now on. */
export function lastFailureOf(redis: Redis): () => Error | undefined {
  let last: Error | undefined;
  const onFailure = (error: Error): void => {
    // One attempt may cause several errors, and the last of them says least.
    if (last === undefined || !saysNothing(error)) last = error;
  };
  // Without a listener, ioredis writes errors to the console.
  redis.on('error', onFailure);
  // The error of one of several Sentinels.
  redis.on('sentinelError', onFailure);
  redis.on('ready', () => (last = undefined));
  return () => last;
}

/**
 * Finds out why a cluster cannot be used. Opens these connections, one to each known node, asks for the state of the cluster,
 * and closes the connections. Returns undefined when a node answers that the cluster works.
 */
export async function clusterFailure(connections: readonly Redis[]): Promise<Error | undefined> {
  const failures = await Promise.all(connections.map(nodeFailure));
  const known = failures.filter((error) => error !== undefined);
  // A refusal says more than an unreachable node. When one node has no failure, the cluster works.
  return (
    known.find((error) => troubleOf(error) !== 'unreachable') ??
    (known.length < failures.length ? undefined : known[0])
  );
}

async function nodeFailure(redis: Redis): Promise<Error | undefined> {
  const { promise, reject, resolve } = Promise.withResolvers<void>();
  redis.once('error', reject);
  redis.on('error', () => undefined);
  redis.connect().then(resolve, reject);
  try {
    await promise;
    const state = await redis.cluster('INFO');
    return state.includes('cluster_state:fail')
      ? new Error('CLUSTERDOWN the cluster does not serve')
      : undefined;
  } catch (error) {
    return error as Error;
  } finally {
    redis.disconnect();
  }
}

function connect(address: ServerAddress, tls: RedisTls, own: Options): Redis {
  const common = { ...COMMON, ...own, db: address.db, ...accessOf(address, tls) };
  if (address.kind === 'single') {
    const { host, port } = address;
    return insistOnDatabase(new Redis({ ...common, host, port }));
  }
  const redis = new Redis({
    ...common,
    sentinels: [...address.sentinels],
    name: address.name,
    ...(address.sentinelUsername !== undefined && { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword !== undefined && { sentinelPassword: address.sentinelPassword }),
    enableTLSForSentinelMode: address.tls,
    ...(address.sentinelTls && { sentinelTLS: optionsOf(tls) }),
    // ioredis asks the Sentinels at each connect. This option also listens for a failover while connected.
    failoverDetector: true,
    sentinelRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    sentinelCommandTimeout: 1_000,
  });
  return insistOnDatabase(redis);
}

/**
 * When Redis refuses SELECT, ioredis emits an error and uses database 0. ioredis waits for the answer to SELECT before the
 * connection is ready. So this function never resolves a refused SELECT and closes the connection. ioredis then reconnects.
 */
function insistOnDatabase(redis: Redis): Redis {
  const select: (db: number) => Promise<'OK'> = redis.select.bind(redis);
  redis.select = async (db: number | string) => {
    const { stream } = redis;
    try {
      return await select(Number(db));
    } catch (error) {
      if (redis.stream === stream && redis.status === 'connect') {
        redis.emit('error', error);
        redis.disconnect(true);
      }
      return await new Promise<never>(() => undefined);
    }
  };
  return redis;
}

function accessOf({ username, password, tls: encrypted }: RedisAccess, tls: RedisTls): Options {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(encrypted && { tls: optionsOf(tls) }),
  };
}

/** Node checks the server's name against its certificate unless an option says otherwise. */
function optionsOf({ ca, cert, key }: RedisTls): NonNullable<Options['tls']> {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

/** Removes the options that ioredis' Cluster does not accept for its nodes. A cluster reconnects by itself. */
function withoutRetries({
  retryStrategy: _retry,
  enableOfflineQueue: _queue,
  lazyConnect: _lazy,
  ...rest
}: Options): Options {
  return rest;
}
