import { afterAll, describe } from 'vitest';
import type { DiskEventLog } from '../../src/log/disk/disk-event-log.ts';
import type { EventLog } from '../../src/log/event-log.ts';
import { openDiskLog } from '../support/disk-log.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the embedded log on disk', () => {
  /** Logs that several tests use, by their options: opening one starts a thread. */
  const shared = new Map<number, Promise<DiskEventLog>>();
  afterAll(async () => {
    for (const log of shared.values()) await (await log).close();
  });

  eventLogContract(async ({ idempotencyTtl, ...options }) => {
    const storage = { idempotencyTtl };
    if (options.onKeysDropped !== undefined) return openDiskLog({ ...options, storage });
    let log = shared.get(idempotencyTtl);
    if (log === undefined) shared.set(idempotencyTtl, (log = openDiskLog({ storage })));
    return leftOpen(await log);
  });
});

/** The same log, which stays open when a test closes it. */
function leftOpen(log: EventLog): EventLog {
  return new Proxy(log, {
    get(target, name) {
      if (name === 'close') return () => Promise.resolve();
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
