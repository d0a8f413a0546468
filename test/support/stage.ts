import { setTimeout as delay } from 'node:timers/promises';
import { startBroker } from './broker.ts';
import type { Broker, DataFolder } from './broker.ts';
import { LogReader } from './log-reader.ts';
import { NumberedPublisher } from './numbered-publisher.ts';
import type { PublisherOptions } from './numbered-publisher.ts';
import { checkPromise } from './promise-checker.ts';
import type { Verdict } from './promise-checker.ts';
import { startRedis } from './redis-server.ts';
import type { RedisServer, RedisServerOptions } from './redis-server.ts';
import { EventSourceReader, RovingReader } from './resuming-reader.ts';
import type { ResumingReader } from './resuming-reader.ts';

export interface StageOptions {
  readonly replicas?: number;
  /** Settings for every replica. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Resolves once the replica is ready. It listens before Redis has answered. */
async function startReadyBroker(env: Readonly<Record<string, string>>): Promise<Broker> {
  const broker = await startBroker(env);
  const giveUp = AbortSignal.timeout(40_000);
  // No event says that a replica is ready, so poll, as a load balancer does.
  while (!(await fetch(`${broker.adminUrl ?? broker.url}/readyz`, { signal: giveUp })).ok)
    await delay(10, undefined, { signal: giveUp });
  return broker;
}

/** What keeps the events. The stage stops it. */
interface Store {
  stop(): Promise<void>;
}

/** A Redis or a folder, replicas on it, and publishers and readers that run while a test makes faults. */
export class Stage {
  readonly brokers: Broker[];
  readonly publishers: NumberedPublisher[] = [];
  readonly readers: ResumingReader[] = [];
  readonly #env: Readonly<Record<string, string>>;
  /** Settings of single replicas. */
  readonly #own = new Map<number, Readonly<Record<string, string>>>();

  readonly #store: Store;

  private constructor(store: Store, brokers: Broker[], env: Readonly<Record<string, string>>) {
    this.#store = store;
    this.brokers = brokers;
    this.#env = env;
  }

  /** Starts a Redis, and the replicas on it. */
  static async open({
    redis = {},
    ...options
  }: StageOptions & { readonly redis?: RedisServerOptions } = {}): Promise<Stage> {
    return await Stage.on(await startRedis(redis), options);
  }

  /** Uses one or more Redis servers that are already started; the stage stops them. */
  static async on(
    redis: Store & { readonly url: string },
    { replicas = 2, env = {} }: StageOptions = {},
  ): Promise<Stage> {
    return await Stage.#start(redis, replicas, { REDIS_URL: redis.url, ...env });
  }

  /** Starts one broker with its log in this folder. The stage removes the folder. */
  static async onDisk(folder: DataFolder, env: Readonly<Record<string, string>> = {}): Promise<Stage> {
    return await Stage.#start({ stop: () => folder.remove() }, 1, { SLUICE_DATA_DIR: folder.path, ...env });
  }

  static async #start(store: Store, replicas: number, env: Readonly<Record<string, string>>): Promise<Stage> {
    // Enough history for the longest fault, so only the fault itself can cause a gap.
    const all = { SLUICE_RETRY: '500ms', SLUICE_HISTORY_SIZE: '20000', ...env };
    const brokers = await Promise.all(Array.from({ length: replicas }, () => startReadyBroker(all)));
    return new Stage(store, brokers, all);
  }

  /** The Redis that {@link open} started. */
  get redis(): RedisServer {
    return this.#store as RedisServer;
  }

  get urls(): string[] {
    return this.brokers.map(({ url }) => url);
  }

  broker(index: number): Broker {
    return this.brokers[index] as Broker;
  }

  async addReplica(env: Readonly<Record<string, string>>): Promise<void> {
    this.#own.set(this.brokers.length, env);
    this.brokers.push(await startReadyBroker({ ...this.#env, ...env }));
  }

  publisher(options: Partial<PublisherOptions> = {}): NumberedPublisher {
    const name = `p${this.publishers.length + 1}`;
    const publisher = new NumberedPublisher({
      urls: this.urls,
      key: this.broker(0).key,
      channel: 'news',
      name,
      rate: 200,
      ...options,
    });
    this.publishers.push(publisher);
    publisher.start();
    return publisher;
  }

  /** Adds one `eventsource` reader for each replica, and `roving` readers that change between the replicas. */
  async addReaders(roving: number, channel = 'news'): Promise<RovingReader[]> {
    const urls = this.urls.map((url) => `${url}/events/${channel}`);
    const rovers = Array.from(
      { length: roving },
      (_, i) =>
        new RovingReader(`rover ${i + 1}`, [
          ...urls.slice(i % urls.length),
          ...urls.slice(0, i % urls.length),
        ]),
    );
    this.readers.push(...rovers, ...urls.map((url, i) => new EventSourceReader(`eventsource ${i + 1}`, url)));
    await Promise.all(this.readers.map(({ ready }) => ready));
    return rovers;
  }

  /** Starts an ended replica again at its old address. */
  async revive(index: number): Promise<void> {
    this.brokers[index] = await startBroker(this.#envOf(index));
  }

  /** As {@link revive}, but the process is killed after so many ms, most likely while it starts. */
  async reviveInVain(index: number, ms: number): Promise<void> {
    try {
      const broker = await startBroker(this.#envOf(index), (pid) => {
        setTimeout(() => process.kill(pid, 'SIGKILL'), ms);
      });
      await broker.exit;
    } catch {
      // It was killed before it listened.
    }
  }

  #envOf(index: number): Readonly<Record<string, string>> {
    return { ...this.#env, ...this.#own.get(index), PORT: String(this.broker(index).port) };
  }

  /** Stops publishing, waits until every reader has a last event, and checks the promise. */
  async finish(): Promise<Verdict> {
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    const [publisher] = this.publishers;
    if (publisher === undefined) throw new Error('nothing was published');
    const last = await publisher.publishSurely('the-last');
    await Promise.all(this.readers.map((reader) => reader.reached(last.id)));
    return checkPromise(this.publishers, this.readers);
  }

  /** Checks the promise for what the log has of a channel, where nothing may be lost. */
  async checkLog(channel = 'news'): Promise<Verdict> {
    return checkPromise(this.publishers, [await LogReader.read(this.broker(0).url, channel)]);
  }

  async close(): Promise<void> {
    for (const reader of this.readers) reader.close();
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    await Promise.all(this.brokers.map((broker) => broker.kill()));
    await this.#store.stop();
  }
}
