import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { watchEviction } from './eviction-watch.ts';
import { connectCommands, connectReads, connectSubscriber } from './redis-connections.ts';
import type { ServerAddress } from './redis-connections.ts';
import { ZSCAN_COUNT, checkScanCursor, runProbe } from './redis-deployment.ts';
import type { RedisDeployment, RedisDeploymentOptions } from './redis-deployment.ts';
import { RedisMonitor } from './redis-monitor.ts';
import { RedisScripts } from './redis-scripts.ts';
import { SubscriberConnection } from './subscriber-connection.ts';

/** One server at a time: a fixed server, or the server that Sentinels name. */
export class ServerDeployment implements RedisDeployment {
  readonly scripts: RedisScripts;
  readonly reads: RedisScripts;
  readonly pubSub: SubscriberConnection;
  readonly publish = 'PUBLISH';
  readonly monitor: RedisMonitor;
  readonly #commands: Redis;
  readonly #reads: Redis;

  constructor(
    address: ServerAddress,
    { keys, tls, waitReplicas, onHealth, onEviction }: RedisDeploymentOptions,
  ) {
    const commands = connectCommands(address, tls);
    const reads = connectReads(address, tls, commands);
    this.#commands = commands;
    this.#reads = reads;
    this.scripts = new RedisScripts(commands, () => '', waitReplicas);
    this.reads = new RedisScripts(reads, () => '', 0);
    this.pubSub = new SubscriberConnection({ redis: connectSubscriber(address, tls) });
    const tag = randomUUID();
    const name = keys.probe(tag);
    const probe = (): Promise<number> => runProbe(this, keys, tag, name);
    this.monitor = new RedisMonitor({ commands, subscriber: this.pubSub, name, probe, onHealth });
    watchEviction(commands, onEviction);
    commands.connect().catch(() => undefined);
    reads.connect().catch(() => undefined);
  }

  zscan(key: string, cursor: string): Promise<[string, string[]]> {
    return this.#commands.zscan(key, cursor, 'COUNT', ZSCAN_COUNT);
  }

  async scan(cursor: string, pattern: string, count: number): Promise<[string, string[]]> {
    checkScanCursor(cursor);
    return await this.#commands.scan(cursor, 'MATCH', pattern, 'COUNT', count);
  }

  close(): void {
    this.monitor.close();
    this.pubSub.close();
    this.#commands.disconnect();
    this.#reads.disconnect();
  }
}
