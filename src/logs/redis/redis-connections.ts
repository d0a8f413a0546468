import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { HostAndPort, RedisAccess, RedisAddress } from '../../core/redis-address.ts';
import { saysNothing, troubleOf } from './redis-trouble.ts';

/** A command fails after this time, in ms, so that a publisher has its 503 within a second. */
const COMMAND_TIMEOUT_MS = 800;
/** A connection that owes an answer and was silent for this long is dead, in ms. */
const SILENCE_MS = 4_000;
/** Between two reconnections because the server takes no writes, in ms: another server may have its name by now. */
const READONLY_PAUSE_MS = 5_000;
/** Between two questions to a server that loads its data, in ms. */
const LOADING_RETRY_MS = 1_000;
/** Between two reads of a cluster's layout, in ms; a MOVED answer causes a further one. */
const SLOTS_REFRESH_MS = 3_000;

/**
 * ioredis listens to the first error of a connection only. A TLS connection that is given up during its handshake can have
 * two: it does not trust the server, and then hears that the server did not like how it left. A second one, that nobody
 * listens to, would end the process. ioredis makes some of its connections where no option of ours reaches, so this is
 * for all that this process makes; whoever listens hears of it as before.
 */
subscribe('net.client.socket', (message) => {
  (message as { readonly socket: Socket }).socket.on('error', () => undefined);
});

/** What TLS connections to Redis are made with, in PEM. Without a CA, those that Node knows are trusted. */
export interface RedisTls {
  readonly ca?: string | undefined;
  /** Shown to servers that want to know who connects (tls-auth-clients). */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** ioredis types this one in a way that no value satisfies under exactOptionalPropertyTypes. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** Neither these nor any other connection is opened here, so that listeners can be attached first. */
const COMMON: Options = {
  lazyConnect: true,
  enableOfflineQueue: false,
  // Sending again what was not answered could run an append twice.
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  // One right less that a broker needs, and nothing that its connections' names do not say.
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
 * A page can be large and the way to Redis narrow, and no request waits for it. A connection over which nothing comes at all
 * is noticed sooner, by its silence.
 */
const READS: Options = { ...COMMANDS, connectionName: 'sluice-reads', commandTimeout: 10_000 };

/** Reconnects for ever. SubscriberConnection alone decides what is subscribed after a reconnect. */
const SUBSCRIBER: Options = { connectionName: 'sluice-subscriber', maxRetriesPerRequest: null };

/** An address of one server at a time: one that stays the same, or the one that Sentinels name. */
export type ServerAddress = Exclude<RedisAddress, { kind: 'cluster' }>;
export type ClusterAddress = Extract<RedisAddress, { kind: 'cluster' }>;

/** For commands to one server, or to the one that Sentinels name. */
export function connectCommands(address: ServerAddress, tls: RedisTls): Redis {
  let reconnectedAt = -Infinity;
  // A failover leaves us connected to what is a replica now; connected anew, we find the master. Where there is no other
  // server, each publish would break the connection over which subscribers still read.
  const reconnectOnError = (error: Error): boolean => {
    const now = performance.now();
    if (!error.message.startsWith('READONLY') || now - reconnectedAt < READONLY_PAUSE_MS) return false;
    reconnectedAt = now;
    return true;
  };
  return connect(address, tls, { ...COMMANDS, reconnectOnError });
}

/** For pages from the same server, which must not keep the answers to publishes waiting behind them. */
export function connectReads(address: ServerAddress, tls: RedisTls, commands: Redis): Redis {
  const reads = connect(address, tls, READS);
  // Why it fails is told by the other connections.
  reads.on('error', () => undefined);
  commands.once('ready', () => {
    // When those connect anew, it may be to another server.
    commands.on('ready', () => {
      if (reads.status === 'ready') reads.disconnect(true);
    });
  });
  return reads;
}

/** For announcements from one server, or from the one that Sentinels name. */
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
    // A certificate is for the name of a node and not for the address that ioredis would look up first.
    dnsLookup: (name, done) => done(null, name),
    slotsRefreshInterval: SLOTS_REFRESH_MS,
    slotsRefreshTimeout: 1_000,
    // A command whose connection broke may have run: what is unknown is the publisher's to send again.
    retryDelayOnFailover: 0,
    // Nor is one kept back that the cluster refuses: its publisher has a second, and is told why.
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
    // One attempt may cause several errors, and the last of them tells the least.
    if (last === undefined || !saysNothing(error)) last = error;
  };
  // ioredis writes errors to the console when nobody listens.
  redis.on('error', onFailure);
  // The answer of one of several Sentinels.
  redis.on('sentinelError', onFailure);
  redis.on('ready', () => (last = undefined));
  return () => last;
}

/**
 * Why a cluster cannot be used that is known by these nodes: tries a connection to each, and asks the cluster how it is. The
 * connections are not open yet, and are closed. Undefined when there is nothing that these say against it.
 */
export async function clusterFailure(connections: readonly Redis[]): Promise<Error | undefined> {
  const failures = await Promise.all(connections.map(nodeFailure));
  const told = failures.filter((error) => error !== undefined);
  // A node that refuses says more than one that is not there; and while one has nothing to say, all is well.
  return (
    told.find((error) => troubleOf(error) !== 'unreachable') ??
    (told.length < failures.length ? undefined : told[0])
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
    // Sentinels are asked anew at each connect; this listens for a switch while connected, too.
    failoverDetector: true,
    sentinelRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    sentinelCommandTimeout: 1_000,
  });
  return insistOnDatabase(redis);
}

/**
 * When SELECT is refused ioredis tells of it and goes on, in database 0. While it connects it waits for the answer to this
 * command: one that never comes keeps the connection from ever being ready, and it is closed and tried again later.
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

/** The server's name is checked against its certificate, as it always is unless one says otherwise. */
function optionsOf({ ca, cert, key }: RedisTls): NonNullable<Options['tls']> {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
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
