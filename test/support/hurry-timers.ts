import { vi } from 'vitest';

/** Makes all timers of this process run so many times faster. Undo it with `vi.unstubAllGlobals()`. */
export function hurryTimers(factor: number): void {
  const unhurried = setTimeout;
  vi.stubGlobal('setTimeout', (run: () => void, ms = 0, ...rest: []) => unhurried(run, ms / factor, ...rest));
}
