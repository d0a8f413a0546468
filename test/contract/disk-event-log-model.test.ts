import { afterEach, beforeEach, test } from 'vitest';
import type { DiskEventLog } from '../../src/log/disk/disk-event-log.ts';
import { logFolder, openDiskLog } from '../support/disk-log.ts';
import { MODEL_CASES, runEventLogModel } from './event-log-model.ts';

let log: DiskEventLog;
let folder: string;
let keysDropped = 0;

async function open(): Promise<undefined> {
  log = await openDiskLog({ storage: { folder }, onKeysDropped: (keys) => (keysDropped += keys) });
}

beforeEach(async () => {
  folder = logFolder();
  await open();
});
afterEach(() => log.close());

test.each(MODEL_CASES)(
  'the log on disk keeps the newest events, also when it is closed and opened: %s, seed %d',
  async (_kind, seed, sizes) => {
    let times = 0;
    const disturb = async (): Promise<undefined> => {
      if (++times % 4 > 0) return;
      await log.close();
      await open();
    };
    await runEventLogModel(
      { log: () => log, keysDropped: () => keysDropped, maxDropped: 64, disturb },
      seed,
      sizes,
    );
  },
);
