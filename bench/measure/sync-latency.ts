import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { LatencyHistogram } from './latency-histogram.ts';
import { monotonicMicros } from './monotonic-micros.ts';

/** A page of a database and the head of its log record, written in place as a log that is used again is. */
const WRITE_BYTES = 4_120;
const PLACES = 500;
const DURATION_MS = 300;
/** The kind of a file system in memory (TMPFS_MAGIC in statfs(2)). */
const TMPFS = 0x01_02_19_94;

/** Measures how long the disk of a folder takes for one small write and one `fdatasync`. Returns latencies in µs. */
export async function syncLatency(folder: string): Promise<LatencyHistogram> {
  const latency = new LatencyHistogram();
  const file = await open(join(folder, 'sync-latency'), 'w');
  try {
    await file.write(Buffer.alloc(WRITE_BYTES * PLACES));
    await file.sync();
    const page = Buffer.alloc(WRITE_BYTES);
    const end = monotonicMicros() + DURATION_MS * 1_000;
    for (let i = 0, began = monotonicMicros(); began < end; i++, began = monotonicMicros()) {
      await file.write(page, 0, WRITE_BYTES, (i % PLACES) * WRITE_BYTES);
      await file.datasync();
      latency.record(monotonicMicros() - began);
    }
  } finally {
    await file.close();
  }
  return latency;
}

/** Whether a folder is in memory, where a sync costs nothing. */
export async function isInMemory(folder: string): Promise<boolean> {
  return process.platform === 'linux' && (await statfs(folder)).type === TMPFS;
}
