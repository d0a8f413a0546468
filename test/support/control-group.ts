import { randomUUID } from 'node:crypto';
import type { ControlBus, ControlBusOptions } from '../../src/replicas/control-bus.ts';
import { RedisClient } from '../../src/redis/redis-client.ts';
import { RedisControlBus } from '../../src/replicas/redis-control-bus.ts';

/** Control buses on one Redis under a prefix of their own. Each bus has its own client, as on a replica of its own. */
export class ControlGroup {
  readonly prefix: string;
  readonly #url: string;
  readonly #clients = new Map<ControlBus, RedisClient>();

  constructor(url: string, prefix = `control-${randomUUID()}:`) {
    this.#url = url;
    this.prefix = prefix;
  }

  readonly open = (options: ControlBusOptions): ControlBus => {
    const client = new RedisClient({ url: this.#url, prefix: this.prefix, onHealth: () => undefined });
    const bus = new RedisControlBus({ client, ...options });
    this.#clients.set(bus, client);
    return bus;
  };

  /** Ends one replica without a message to the others. */
  readonly leave = (bus: ControlBus): void => this.#clients.get(bus)?.close();

  readonly close = async (): Promise<void> => {
    for (const client of this.#clients.values()) client.close();
  };
}
