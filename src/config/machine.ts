import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** The limits that the machine or container sets for this process. */
export interface Machine {
  /** In bytes: the memory of the machine, or the limit of the container. */
  readonly memory: number;
  /** How many files and connections may be open. Undefined when unknown. */
  readonly openFiles: number | undefined;
}

export function thisMachine(): Machine {
  // 0 when the system cannot say, and a huge number when there is no limit.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { memory, openFiles: openFiles() };
}

/** Reads the hard limit. Node raises the soft limit to the hard one when it starts. */
function openFiles(): number | undefined {
  try {
    const [, digits] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    // Not on Linux.
    return undefined;
  }
}
