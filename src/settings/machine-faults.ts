import type { Machine } from './machine.ts';

/** What a process takes without events and streams, in bytes (docs/operations.md, Sizing). */
const BASE = 150 * 1024 ** 2;
/** What the embedded log takes for each byte that it may hold. */
const OVERHEAD = 4 / 3;
/** Descriptors that are no streams: Redis, the log, listening sockets, requests. */
const OTHER_FILES = 100;

export interface Sizes {
  /** Undefined with Redis: then none of the broker's memory holds events. */
  readonly memoryBytes: number | undefined;
  readonly maxBodyBytes: number;
  /** Infinity for no limit. */
  readonly maxConnections: number;
}

/** A line for each size that the machine, or the setting beside it, has no room for. Each may be meant: it is met only under load. */
export function machineFaults(
  { memoryBytes, maxBodyBytes, maxConnections }: Sizes,
  machine: Machine,
): string[] {
  const lines: string[] = [];
  if (memoryBytes !== undefined && memoryBytes * OVERHEAD + BASE > machine.memory)
    lines.push(
      `SLUICE_MEMORY_BYTES is ${inMiB(memoryBytes)}, and the process may have ${inMiB(machine.memory)}: it takes up to a third more, and ${inMiB(BASE)} for itself.`,
    );
  if (memoryBytes !== undefined && maxBodyBytes > memoryBytes)
    lines.push(
      `SLUICE_MAX_BODY_BYTES is ${inMiB(maxBodyBytes)}, and SLUICE_MEMORY_BYTES ${inMiB(memoryBytes)}: the largest events cannot be kept.`,
    );
  else if (maxBodyBytes > machine.memory / 4)
    lines.push(
      `SLUICE_MAX_BODY_BYTES is ${inMiB(maxBodyBytes)}, and the process may have ${inMiB(machine.memory)}: a few publishes at once would use it up.`,
    );
  if (
    maxConnections !== Infinity &&
    machine.openFiles !== undefined &&
    maxConnections + OTHER_FILES > machine.openFiles
  )
    lines.push(
      `SLUICE_MAX_CONNECTIONS is ${maxConnections}, and the process may open ${machine.openFiles} files, one a stream: raise ulimit -n.`,
    );
  return lines;
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}
