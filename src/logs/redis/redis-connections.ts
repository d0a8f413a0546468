import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { Cluster, Redis } from 'ioredis';
import type { RedisOptions } from 'ioredis';
import type { HostAndPort, RedisAddress } from './redis-address.ts';

/** A publish is refused after so many ms, so that the publisher has its 503 within a second. */
const COMMAND_TIMEOUT = 800;
/** A connection that owes us an answer and has been silent for so many ms is dead. */
const SILENCE = 4_000;
/** How often the layout of a cluster is looked at; a moved slot is also noticed by what it answers. */
const SLOTS_REFRESH = 3_000;

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

/** A page can be large and the way to Redis narrow; nobody waits outward for it. What is silent is noticed sooner. */
const READS: Options = { ...COMMANDS, connectionName: 'sluice-reads', commandTimeout: 10_000 };

/** Patient; who subscribes to what after a reconnect is decided by the follower alone. */
const SUBSCRIBER: Options = { connectionName: 'sluice-subscriber', maxRetriesPerRequest: null };

/** For commands to one server, or to the one that Sentinels name. */
export function connectCommands(address: Exclude<RedisAddress, { kind: 'cluster' }>, tls: RedisTls): Redis {
  // A failover leaves us connected to what is a replica now; connected anew, we find the master.
  return connect(address, tls, {
    ...COMMANDS,
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  });
}

/** For pages from the same server, which must not keep the answers to publishes waiting behind them. */
export function connectReads(
  address: Exclude<RedisAddress, { kind: 'cluster' }>,
  tls: RedisTls,
  commands: Redis,
): Redis {
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
export function connectSubscriber(address: Exclude<RedisAddress, { kind: 'cluster' }>, tls: RedisTls): Redis {
  return connect(address, tls, SUBSCRIBER);
}

/** For commands to a cluster: each goes to the node that has its slot. */
export function connectCluster(
  address: Extract<RedisAddress, { kind: 'cluster' }>,
  tls: RedisTls,
  purpose: 'commands' | 'reads' = 'commands',
): Cluster {
  const own = purpose === 'reads' ? READS : COMMANDS;
  const cluster = new Cluster([...address.nodes], {
    lazyConnect: true,
    enableOfflineQueue: false,
    slotsRefreshInterval: SLOTS_REFRESH,
    slotsRefreshTimeout: 1_000,
    // A command whose connection broke may have run: what is unknown is the publisher's to send again.
    retryDelayOnFailover: 0,
    clusterRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    redisOptions: { ...withoutRetries(COMMON), ...own, ...accessOf(address, tls) },
  });
  if (purpose === 'reads') cluster.on('error', () => undefined);
  return cluster;
}

/** For announcements from one node of a cluster. */
export function connectNodeSubscriber(
  address: Extract<RedisAddress, { kind: 'cluster' }>,
  tls: RedisTls,
  node: HostAndPort,
): Redis {
  return new Redis({ ...COMMON, ...SUBSCRIBER, ...accessOf(address, tls), ...node });
}

/** Tries a connection that is not open yet, once. Gives the reason why it cannot be opened; '' when it can. */
export async function connectFailure(redis: Redis): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  redis.once('error', (error: Error) => resolve(error.message));
  redis.on('error', () => undefined);
  redis.connect().then(
    () => resolve(''),
    (error: unknown) => resolve((error as Error).message),
  );
  const reason = await promise;
  redis.disconnect();
  return reason;
}

function connect(address: Exclude<RedisAddress, { kind: 'cluster' }>, tls: RedisTls, own: Options): Redis {
  if (address.kind === 'single') {
    return new Redis(address.url, { ...COMMON, ...own, ...(address.tls && { tls: optionsOf(tls) }) });
  }
  return new Redis({
    ...COMMON,
    ...own,
    sentinels: [...address.sentinels],
    name: address.name,
    db: address.db,
    ...accessOf(address, tls),
    ...(address.sentinelUsername !== undefined && { sentinelUsername: address.sentinelUsername }),
    ...(address.sentinelPassword !== undefined && { sentinelPassword: address.sentinelPassword }),
    enableTLSForSentinelMode: address.tls,
    ...(address.sentinelTls && { sentinelTLS: optionsOf(tls) }),
    // Sentinels are asked anew at each connect; this listens for a switch while connected, too.
    failoverDetector: true,
    sentinelRetryStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    sentinelCommandTimeout: 1_000,
  });
}

function accessOf(
  { username, password, tls: encrypted }: Extract<RedisAddress, { password: string | undefined }>,
  tls: RedisTls,
): Options {
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
