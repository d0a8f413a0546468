import type { Machine } from './machine.ts';

/** Memory of a process without events and streams (docs/operations.md, Sizing). */
const BASE_BYTES = 150 * 1024 ** 2;
/** Memory that the embedded log uses for each byte of SLUICE_MEMORY_BYTES. */
const OVERHEAD = 4 / 3;
/** File descriptors that are not streams: Redis, the log output, listening sockets, requests. */
const OTHER_FILES = 100;

export interface Sizes {
  /** Undefined with Redis and with SLUICE_DATA_DIR, because the process then keeps no events in memory. */
  readonly memoryBytes: number | undefined;
  readonly maxBodyBytes: number;
  /** Infinity for no limit. */
  readonly maxConnections: number;
}

/** Returns a warning for each size that exceeds the machine or another setting. The limits matter only under load. */
export function machineFaults(
  { memoryBytes, maxBodyBytes, maxConnections }: Sizes,
  machine: Machine,
): string[] {
  const lines: string[] = [];
  if (memoryBytes !== undefined && memoryBytes * OVERHEAD + BASE_BYTES > machine.memory)
    lines.push(
      `SLUICE_MEMORY_BYTES is ${inMiB(memoryBytes)}, and the process may use ${inMiB(machine.memory)}. The log uses up to a third more than SLUICE_MEMORY_BYTES, and the process ${inMiB(BASE_BYTES)} besides.`,
    );
  if (memoryBytes !== undefined && maxBodyBytes > memoryBytes)
    lines.push(
      `SLUICE_MAX_BODY_BYTES is ${inMiB(maxBodyBytes)}, and SLUICE_MEMORY_BYTES is ${inMiB(memoryBytes)}. The log has no room for the largest events.`,
    );
  else if (maxBodyBytes > machine.memory / 4)
    lines.push(
      `SLUICE_MAX_BODY_BYTES is ${inMiB(maxBodyBytes)}, and the process may use ${inMiB(machine.memory)}. A few large publishes at once would use all of it.`,
    );
  if (
    maxConnections !== Infinity &&
    machine.openFiles !== undefined &&
    maxConnections + OTHER_FILES > machine.openFiles
  )
    lines.push(
      `SLUICE_MAX_CONNECTIONS is ${maxConnections}, and the process may open ${machine.openFiles} files. Each stream needs one. Raise ulimit -n.`,
    );
  return lines;
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
