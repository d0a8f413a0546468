import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';

/** What a process may take of the machine that it runs on. */
export interface Machine {
  /** Bytes of memory: all of it, or what the container may have. */
  readonly memory: number;
  /** Files and connections that may be open; undefined where that is not known. */
  readonly openFiles: number | undefined;
}

export function thisMachine(): Machine {
  // 0 for a system without such a limit, and some enormous number for none.
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { memory, openFiles: openFiles() };
}

/** The hard limit, to which Node raises the soft one at the start. */
function openFiles(): number | undefined {
  try {
    const [, digits] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return digits === undefined ? undefined : Number(digits);
  } catch {
    // Not on Linux.
    return undefined;
  }
}
