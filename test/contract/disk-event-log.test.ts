import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { LogStore } from '../../src/log/disk/log-store.ts';
import { StoreEventLog } from '../support/store-event-log.ts';
import { eventLogContract } from './event-log-contract.ts';

describe('the log on disk', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  eventLogContract(async ({ idempotencyTtl, onKeysDropped }) => {
    const store = new LogStore({
      folder: mkdtempSync(join(folder, 'log-')),
      dataBytes: 64 * 1024 * 1024,
      memoryBytes: 16 * 1024 * 1024,
      idempotencyTtl,
      revocationTtl: 60_000,
      onNotice: () => undefined,
    });
    return new StoreEventLog(store, onKeysDropped);
  });
});
