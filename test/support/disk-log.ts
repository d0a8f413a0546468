import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DiskEventLog } from '../../src/log/disk/disk-event-log.ts';
import type { DiskEventLogOptions } from '../../src/log/disk/disk-event-log.ts';
import type { ThreadData } from '../../src/log/disk/storage-thread.ts';

/** Folders that are removed when the tests of this process end. */
const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A new folder for a log on disk. */
export function logFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  folders.push(folder);
  return folder;
}

export type DiskLogOptions = Partial<Omit<DiskEventLogOptions, 'thread'>> & {
  readonly storage?: Partial<ThreadData['storage']>;
  readonly pace?: ThreadData['pace'];
};

/** Opens a log on disk, in a new folder unless `storage` names one. */
export function openDiskLog({
  storage,
  pace = 'always',
  ...options
}: DiskLogOptions = {}): Promise<DiskEventLog> {
  const { folder = logFolder(), ...others } = storage ?? {};
  return DiskEventLog.open({
    onNotice: () => undefined,
    onHealth: () => undefined,
    ...options,
    thread: {
      storage: {
        folder,
        dataBytes: 64 * 1024 * 1024,
        memoryBytes: 16 * 1024 * 1024,
        idempotencyTtl: 60_000,
        revocationTtl: 60_000,
        ...others,
      },
      pace,
    },
  });
}

/** The thread in obstinate-thread.ts. */
export const OBSTINATE = new URL('obstinate-thread.ts', import.meta.url);

/** Makes the syncs of an {@link OBSTINATE} thread hang, fail, or end the thread. Returns the function that mends them. */
export function obstruct(folder: string, how: 'hang' | 'fail' | 'die'): () => void {
  const file = join(folder, how);
  writeFileSync(file, '');
  return () => rmSync(file, { force: true });
}
