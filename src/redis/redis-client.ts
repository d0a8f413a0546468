import { BrokerError } from '../events/errors.ts';
import type { LogHealth } from '../log/event-log.ts';
import type { LogTrouble } from '../events/log-trouble.ts';
import type { FailureWords } from '../log/failure-words.ts';
import { parseRedisAddress } from './redis-address.ts';
import { ClusterDeployment } from './cluster-deployment.ts';
import type { PubSub } from './pub-sub.ts';
import type { RedisTls } from './redis-connections.ts';
import type { RedisDeployment } from './redis-deployment.ts';
import { RedisKeys } from './redis-keys.ts';
import { TOO_FEW_REPLICAS } from './redis-scripts.ts';
import type { ScriptName } from './script-methods.ts';
import type { ScriptHead } from './script-call.ts';
import { refusalOf, wordsOf } from './redis-trouble.ts';
import type { Refusal } from './redis-trouble.ts';
import { ServerDeployment } from './server-deployment.ts';

export type { FailureWords } from '../log/failure-words.ts';
export type { ScriptHead } from './script-call.ts';

export interface RedisClientOptions {
  /** The value of REDIS_URL: one server, Sentinels, or a cluster. */
  readonly url: string;
  /** Used when the URL asks for TLS. */
  readonly tls?: RedisTls;
  /** The prefix of every name in Redis. */
  readonly prefix: string;
  /** Replicas of Redis that must have confirmed an append before it is acknowledged. */
  readonly waitReplicas?: number;
  /** Called when Redis or a part of it goes down or comes back, and about once a minute while it is down. */
  readonly onHealth: (health: LogHealth) => void;
  /** Called with Redis' own words when Redis refuses a command while its health is good. */
  readonly onLogRefused?: (reason: LogTrouble, words: string) => void;
  /** Called with a maxmemory-policy that may evict keys of the broker. */
  readonly onEviction?: (policy: string) => void;
}

/** Scripts that write nothing and are not part of a publish. */
const READING: ReadonlySet<ScriptName> = new Set<ScriptName>(['read', 'rewind', 'state', 'latest']);

/**
 * The Redis client of the event log, the control bus and the counters. Owns the connections, checks their health, and turns
 * their errors into BrokerErrors.
 */
export class RedisClient {
  readonly keys: RedisKeys;
  readonly #deployment: RedisDeployment;
  readonly #onLogRefused: (reason: LogTrouble, words: string) => void;

  constructor(options: RedisClientOptions) {
    const { url, tls = {}, prefix, waitReplicas = 0, onHealth } = options;
    const { onLogRefused = () => undefined, onEviction = () => undefined } = options;
    const address = parseRedisAddress(url);
    const keys = new RedisKeys(prefix, address.kind === 'cluster' ? 0 : address.db);
    const common = { keys, tls, waitReplicas, onHealth, onEviction };
    this.keys = keys;
    this.#onLogRefused = onLogRefused;
    this.#deployment =
      address.kind === 'cluster'
        ? new ClusterDeployment(address, common)
        : new ServerDeployment(address, common);
  }

  get pubSub(): PubSub {
    return this.#deployment.pubSub;
  }

  /** The command with which scripts publish to {@link pubSub}. */
  get publish(): 'PUBLISH' | 'SPUBLISH' {
    return this.#deployment.publish;
  }

  get health(): LogHealth {
    return this.#deployment.monitor.health;
  }

  /**
   * Runs a script. Strings in the result are Buffers. Fails at once while commands time out.
   * @throws BrokerError by rejection: `log-unavailable` or `log-full`, with its trouble; in under a second, except for reading
   *   scripts
   */
  run(
    script: ScriptName,
    keys: readonly [string, ...string[]],
    args: readonly (string | number)[],
    words: FailureWords,
  ): Promise<unknown> {
    const { scripts, reads, monitor } = this.#deployment;
    const isReading = READING.has(script);
    const target = isReading && reads.ready ? reads : scripts;
    const onTimeout = isReading ? undefined : () => monitor.suspectNow();
    return new Promise((resolve, reject) => {
      this.#refuseSuspect(words);
      const answer = { resolve, reject: (error: Error) => reject(this.#explain(error, words, onTimeout)) };
      target.send(script, target.head(keys, args), [], answer);
    });
  }

  /** Makes the keys and first arguments of appends. A head can be used for any number of them. */
  appendHead(keys: readonly [string, ...string[]], args: readonly (string | number)[]): ScriptHead {
    return this.#deployment.scripts.head(keys, args);
  }

  /**
   * Works as {@link run} with the script `append`, with one promise for all of it.
   * @param rest the arguments behind those of the head
   * @param read makes the result of the script's reply; what it throws rejects the promise
   */
  append<T>(
    head: ScriptHead,
    rest: readonly (string | number)[],
    words: FailureWords,
    read: (reply: unknown) => T,
  ): Promise<T> {
    const { scripts, monitor } = this.#deployment;
    return new Promise((resolve, reject) => {
      this.#refuseSuspect(words);
      scripts.send('append', head, rest, {
        resolve: (reply) => {
          try {
            resolve(read(reply));
          } catch (error) {
            const failure = error as Error;
            reject(failure);
          }
        },
        reject: (error) => reject(this.#explain(error, words, () => monitor.suspectNow())),
      });
    });
  }

  /**
   * Reads one page of a sorted set. Returns the next cursor, and members and scores alternately.
   * @throws BrokerError `log-unavailable`
   */
  zscan(key: string, cursor: string, words: FailureWords): Promise<[string, string[]]> {
    return this.#page(this.#deployment.zscan(key, cursor), words);
  }

  /**
   * Reads one page of the keys that match a glob pattern. Returns the next cursor, and the keys. The first cursor is '0', and so
   * is the one after the last page.
   * @throws BrokerError `log-unavailable`; RangeError for a cursor that this method did not return
   */
  scan(
    cursor: string,
    pattern: string,
    count: number,
    words: FailureWords,
  ): Promise<[cursor: string, keys: string[]]> {
    return this.#page(this.#deployment.scan(cursor, pattern, count), words);
  }

  /** Translates an error of Redis. Calls onLogRefused when Redis refuses while its health is good. */
  refusalOf(error: Error): Refusal {
    const refusal = refusalOf(error, this.health);
    if (!refusal.passes && this.health.up) this.#onLogRefused(refusal.reason, wordsOf(error));
    return refusal;
  }

  close(): void {
    this.#deployment.close();
  }

  async #page(page: Promise<[string, string[]]>, words: FailureWords): Promise<[string, string[]]> {
    const { monitor } = this.#deployment;
    try {
      return await page;
    } catch (error) {
      if (error instanceof RangeError) throw error;
      throw this.#explain(error as Error, words, () => monitor.suspectNow());
    }
  }

  #refuseSuspect({ nothingDone, next }: FailureWords): void {
    if (!this.#deployment.monitor.suspect) return;
    const detail = `Redis does not answer. ${nothingDone} ${next}`;
    throw new BrokerError('log-unavailable', detail, { trouble: 'timeout' });
  }

  /** A page may be slow only because it is large, so its time-out says nothing about publishing, and has no `onTimeout`. */
  #explain(
    error: Error,
    { nothingDone, next, unknown }: FailureWords,
    onTimeout: (() => void) | undefined,
  ): BrokerError {
    const { reason: trouble, detail } = this.refusalOf(error);
    if (trouble === 'timeout') onTimeout?.();
    const because = { cause: error, trouble };
    if (trouble === 'OOM') return new BrokerError('log-full', `${detail} ${nothingDone}`, because);
    if (trouble === 'timeout') return new BrokerError('log-unavailable', `${detail} ${unknown}`, because);
    if (error.message === TOO_FEW_REPLICAS) {
      const unconfirmed = `Too few replicas of Redis have confirmed the write (NOREPLICAS). ${unknown}`;
      return new BrokerError('log-unavailable', unconfirmed, because);
    }
    return new BrokerError('log-unavailable', `${detail} ${next}`, because);
  }
}
