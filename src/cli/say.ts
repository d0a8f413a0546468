import { writeSync } from 'node:fs';

/** Says something to whoever has started the process; that nobody listens any more is no error. */
export function say(to: 'stdout' | 'stderr', text: string): void {
  try {
    writeSync(to === 'stdout' ? 1 : 2, text);
  } catch {
    // A full disk, a closed pipe: there is nowhere else to say so.
  }
}
