import { randomUUID } from 'node:crypto';
import type { ControlBus, ControlBusOptions } from '../../src/core/control-bus.ts';
import { RedisEventLog } from '../../src/logs/redis/redis-event-log.ts';

/** Control buses over one Redis, under a prefix that nobody else has: each as a replica of its own has it. */
export class ControlGroup {
  readonly prefix: string;
  readonly #url: string;
  readonly #logs: RedisEventLog[] = [];

  constructor(url: string, prefix = `control-${randomUUID()}:`) {
    this.#url = url;
    this.prefix = prefix;
  }

  readonly open = (options: ControlBusOptions): ControlBus => {
    const log = new RedisEventLog({
      url: this.#url,
      prefix: this.prefix,
      historySize: 10,
      historyTtl: 1_000,
      idempotencyTtl: 1_000,
      onHealth: () => undefined,
    });
    this.#logs.push(log);
    return log.controlBus(options);
  };

  readonly close = async (): Promise<void> => {
    await Promise.all(this.#logs.map((log) => log.close()));
  };
}
