import type { ChildProcess } from 'node:child_process';

/** Kills a detached process with all that it has started: a shell does not pass a signal on. */
export function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // It has just ended, and Node has not said so yet.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
