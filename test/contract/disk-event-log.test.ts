import { describe } from 'vitest';
import { openDiskLog } from '../support/disk-log.ts';
import { eventLogContract } from './event-log-contract.ts';

describe.each(['always', '1s'] as const)('the embedded log on disk, with SLUICE_SYNC=%s', (pace) => {
  eventLogContract(({ idempotencyTtl, ...options }) =>
    openDiskLog({ ...options, pace, storage: { idempotencyTtl } }),
  );
});
