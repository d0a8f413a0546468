import { randomUUID } from 'node:crypto';
import calculateSlot from 'cluster-key-slot';
import type { ChannelName } from '../../core/channel-name.ts';
import type { ControlBus, ControlBusOptions } from '../../core/control-bus.ts';
import { BrokerError } from '../../core/errors.ts';
import { PAGE_BYTES, TAIL_TTL } from '../../core/event-log.ts';
import type {
  AppendOptions,
  Appended,
  EventLog,
  HistoryPolicy,
  Following,
  LogHealth,
  LogListener,
  LogPage,
} from '../../core/event-log.ts';
import type { EventId, NewEvent } from '../../core/event.ts';
import { encodeRecord } from '../../core/record.ts';
import type { LogTrouble } from '../../core/log-trouble.ts';
import type { RateCounter } from '../../core/rate.ts';
import { ClusterControlConnection } from './cluster-control-connection.ts';
import { ClusterFollower } from './cluster-follower.ts';
import { ClusterMonitor } from './cluster-monitor.ts';
import type { LogMonitor } from './log-monitor.ts';
import type { Cluster, Redis } from 'ioredis';
import { parseRedisAddress } from '../../core/redis-address.ts';
import type { HostAndPort } from '../../core/redis-address.ts';
import type { RedisTls } from './redis-connections.ts';
import {
  clusterFailure,
  connectCluster,
  connectCommands,
  connectNodeSubscriber,
  connectReads,
  connectSubscriber,
} from './redis-connections.ts';
import { watchEviction } from './eviction-watch.ts';
import { RedisControlBus } from './redis-control-bus.ts';
import type { RedisControlBusOptions } from './redis-control-bus.ts';
import { RedisFollower } from './redis-follower.ts';
import { RedisKeys } from './redis-keys.ts';
import { RedisMonitor } from './redis-monitor.ts';
import { RedisScripts, TOO_FEW_REPLICAS } from './redis-scripts.ts';
import type { ScriptName } from './redis-scripts.ts';
import { refusalOf, wordsOf } from './redis-trouble.ts';
import type { Refusal } from './redis-trouble.ts';
import { appendedOf, eventIdOf, pageOf } from './script-replies.ts';
import { Turns } from './turns.ts';

export interface RedisEventLogOptions {
  /** As REDIS_URL: one server, Sentinels, or a cluster. */
  readonly url: string;
  /** For a URL that asks for TLS. */
  readonly tls?: RedisTls;
  readonly prefix: string;
  /** How long an idempotency key is remembered, in ms. */
  readonly idempotencyTtl: number;
  /** Replicas of Redis that must have confirmed an append before it is acknowledged. */
  readonly waitReplicas?: number;
  /** Called when Redis goes away, or a part of it, and when it is back; now and then while it is away. */
  readonly onHealth: (health: LogHealth) => void;
  /** Called when Redis refuses something, although it is well as a whole, with its own words. */
  readonly onRefused?: (reason: LogTrouble, words: string) => void;
  /** Called with a maxmemory-policy that may evict what is kept. */
  readonly onEviction?: (policy: string) => void;
}

/** For a look at the tail, which is there whatever is kept. */
const NOTHING_KEPT: HistoryPolicy = { size: 0, ttl: 0 };
/** How long what the probe writes outlives it, in ms. */
const PROBE_TTL = 60_000;
/** Revocations asked for at once. */
const SCAN = 1_000;
/** Pages that Redis may owe us at once: each can be as large as an event may be. */
const PAGES_AT_ONCE = 32;
/** Scripts that write nothing. */
const READING: ReadonlySet<ScriptName> = new Set<ScriptName>(['read', 'rewind']);

/** The log in Redis: a stream for each channel, and pub/sub to announce what is appended to it. */
export class RedisEventLog implements EventLog, RateCounter {
  readonly #options: RedisEventLogOptions;
  readonly #keys: RedisKeys;
  readonly #scripts: RedisScripts;
  /** Over connections of their own: publishes do not wait behind pages. */
  readonly #reads: RedisScripts;
  readonly #pages = new Turns(PAGES_AT_ONCE);
  readonly #follower: Pick<RedisFollower, 'follow'>;
  readonly #monitor: LogMonitor;
  readonly #openControlBus: (options: ControlBusOptions) => ControlBus;
  readonly #disconnect: () => void;
  readonly #announce: 'PUBLISH' | 'SPUBLISH';

  constructor(options: RedisEventLogOptions) {
    this.#options = options;
    const address = parseRedisAddress(options.url);
    const keys = new RedisKeys(options.prefix, address.kind === 'cluster' ? 0 : address.db);
    this.#keys = keys;
    const { onHealth, onEviction = () => undefined, tls = {} } = options;
    const tail = (channel: ChannelName): Promise<EventId> => this.rewind(channel, 0, NOTHING_KEPT);
    if (address.kind === 'cluster') {
      const cluster = connectCluster(address, tls);
      this.#announce = 'SPUBLISH';
      const reads = connectCluster(address, tls, 'reads');
      this.#scripts = new RedisScripts(cluster, nodesOf(cluster), options.waitReplicas ?? 0);
      this.#reads = new RedisScripts(reads, nodesOf(reads), 0);
      const connect = (node: HostAndPort): Redis => connectNodeSubscriber(address, tls, node);
      const follower = new ClusterFollower({ cluster, keys, tail, connect });
      this.#follower = follower;
      const whyNot = (): Promise<Error | undefined> => clusterFailure(address.nodes.map(connect));
      const probe = (tag: string): Promise<number> => this.#probe(tag, keys.probed(tag)[0]);
      this.#monitor = new ClusterMonitor({ cluster, follower, probe, whyNot, onHealth });
      watchEviction(cluster, onEviction);
      let control: ClusterControlConnection | undefined;
      this.#openControlBus = (busOptions) => {
        const scan = (key: string, cursor: string): Promise<[string, string[]]> =>
          cluster.zscan(key, cursor, 'COUNT', SCAN);
        const bus = this.#controlBus(busOptions, scan, true);
        const attach = (subscriber: Redis): void => bus.attach(subscriber);
        control = new ClusterControlConnection({ cluster, key: keys.commands(), connect, attach });
        return bus;
      };
      this.#disconnect = () => {
        control?.close();
        follower.close();
        cluster.disconnect();
        reads.disconnect();
      };
      cluster.connect().catch(() => undefined);
      reads.connect().catch(() => undefined);
      return;
    }
    const commands = connectCommands(address, tls);
    const subscriber = connectSubscriber(address, tls);
    this.#announce = 'PUBLISH';
    this.#scripts = new RedisScripts(commands, () => '', options.waitReplicas ?? 0);
    const reads = connectReads(address, tls, commands);
    this.#reads = new RedisScripts(reads, () => '', 0);
    this.#follower = new RedisFollower({ subscriber, keys, tail });
    const probed = randomUUID();
    const name = keys.probe(probed);
    const probe = (): Promise<number> => this.#probe(probed, name);
    this.#monitor = new RedisMonitor({ commands, subscriber, name, probe, onHealth });
    watchEviction(commands, onEviction);
    this.#openControlBus = (busOptions) => {
      const bus = this.#controlBus(
        busOptions,
        (key, cursor) => commands.zscan(key, cursor, 'COUNT', SCAN),
        false,
      );
      bus.attach(subscriber);
      return bus;
    };
    this.#disconnect = () => {
      subscriber.disconnect();
      commands.disconnect();
      reads.disconnect();
    };
    // All go on trying by themselves; the monitor says how that goes.
    commands.connect().catch(() => undefined);
    subscriber.connect().catch(() => undefined);
    reads.connect().catch(() => undefined);
  }

  /** What the replicas tell each other, over the connections of this log; open and close it with the log. */
  controlBus(options: ControlBusOptions): ControlBus {
    return this.#openControlBus(options);
  }

  async append(
    channel: ChannelName,
    events: readonly NewEvent[],
    { policy: { size, ttl }, idempotencyKey }: AppendOptions,
  ): Promise<readonly Appended[]> {
    const keys: [string, ...string[]] = [...this.#keys.channel(channel)];
    if (idempotencyKey !== undefined)
      keys.push(...this.#keys.idempotency(channel, idempotencyKey, events.length));
    const live = this.#keys.live(channel);
    const args = [size, ttl, ttl + TAIL_TTL, this.#options.idempotencyTtl, live, this.#announce];
    return appendedOf(await this.#run('append', keys, [...args, ...events.map(encodeRecord)]));
  }

  async read(channel: ChannelName, after: EventId, limit: number, policy: HistoryPolicy): Promise<LogPage> {
    const args = [after, limit, PAGE_BYTES, policy.size, policy.ttl];
    const keys = this.#keys.channel(channel);
    return pageOf(await this.#pages.take(() => this.#run('read', keys, args)));
  }

  async rewind(channel: ChannelName, count: number, { size, ttl }: HistoryPolicy): Promise<EventId> {
    return eventIdOf(await this.#run('rewind', this.#keys.channel(channel), [count, size, ttl]));
  }

  follow(channel: ChannelName, listener: LogListener): Following {
    return this.#follower.follow(channel, listener);
  }

  async hit(name: string, window: number): Promise<{ count: number; left: number }> {
    const [count, left] = (await this.#run('hit', [this.#keys.rate(name)], [window])) as [number, number];
    return { count, left };
  }

  async health(): Promise<LogHealth> {
    return this.#monitor.health;
  }

  async close(): Promise<void> {
    this.#monitor.close();
    this.#disconnect();
  }

  async #probe(tag: string, name: string): Promise<number> {
    const args = [PROBE_TTL, name, this.#announce];
    return (await this.#scripts.run('probe', this.#keys.probed(tag), args)) as number;
  }

  #controlBus(
    options: ControlBusOptions,
    scan: RedisControlBusOptions['scan'],
    sharded: boolean,
  ): RedisControlBus {
    const [scripts, monitor, keys] = [this.#scripts, this.#monitor, this.#keys];
    const explain = (error: Error): Refusal => this.#refusalOf(error);
    return new RedisControlBus({ ...options, scripts, monitor, keys, scan, sharded, explain });
  }

  async #run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    if (this.#monitor.suspect)
      throw new BrokerError('log-unavailable', 'Redis does not answer. Nothing was published; try again.', {
        trouble: 'timeout',
      });
    try {
      const scripts = READING.has(script) && this.#reads.ready ? this.#reads : this.#scripts;
      return await scripts.run(script, keys, args);
    } catch (error) {
      throw this.#explain(error as Error, script);
    }
  }

  #explain(error: Error, script: ScriptName): BrokerError {
    const { message } = error;
    const { reason: trouble, detail: refused } = this.#refusalOf(error);
    const because = { cause: error, trouble };
    if (trouble === 'OOM') return new BrokerError('log-full', `${refused} Nothing was published.`, because);
    if (trouble === 'timeout') {
      // A page can be slow to come for its size alone, which says nothing about publishing.
      if (!READING.has(script)) this.#monitor.suspectNow();
      const detail =
        'Redis did not answer in time. The event may have been published: retry with the same Idempotency-Key.';
      return new BrokerError('log-unavailable', detail, because);
    }
    if (message === TOO_FEW_REPLICAS) {
      const detail =
        'Too few replicas of Redis have confirmed the event (NOREPLICAS), which may be published all the same: retry with the same Idempotency-Key.';
      return new BrokerError('log-unavailable', detail, because);
    }
    const detail = `${refused} Try again with the same Idempotency-Key.`;
    return new BrokerError('log-unavailable', detail, because);
  }

  #refusalOf(error: Error): Refusal {
    const refusal = refusalOf(error, this.#monitor.health);
    const { reason, passes } = refusal;
    if (!passes && this.#monitor.health.up) this.#options.onRefused?.(reason, wordsOf(error));
    return refusal;
  }
}

/** Which keys live on the same node, as the cluster knows it at the time. */
function nodesOf({ slots }: Cluster): (key: string) => string {
  return (key) => slots[calculateSlot(key)]?.join(',') ?? '';
}
