import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { workerData } from 'node:worker_threads';
import type { ThreadData } from '../../src/log/disk/storage-thread.ts';

// A storage thread whose syncs hang while the folder has a file `hang`, fail while it has `fail`, and end the thread while it
// has `die`. `obstruct` in disk-log.ts makes these files.

const { storage } = workerData as ThreadData;
const { existsSync, fdatasync } = fs;
const has = (name: string): boolean => existsSync(join(storage.folder, name));

fs.fdatasync = ((file: number, done: (error: Error | null) => void): void => {
  const attempt = (): void => {
    if (has('die')) process.exit(1);
    else if (has('hang')) setTimeout(attempt, 5);
    else if (has('fail')) done(new Error('EIO: i/o error, fdatasync'));
    else fdatasync(file, done);
  };
  attempt();
}) as typeof fdatasync;
syncBuiltinESMExports();
await import('../../src/log/disk/storage-thread.ts');
