import { spawn } from 'node:child_process';

/**
 * Has a shell run `command` when this process has ended, however it ended: SIGKILL leaves no time for an exit
 * handler, but it closes the pipe that the shell reads from. `args` are the command's $1, $2 and so on.
 * @returns what calls it off.
 */
export function afterExit(command: string, ...args: readonly string[]): () => void {
  const guard = spawn('sh', ['-c', `read -r _; ${command}`, 'after-exit', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A group of its own, so that the Ctrl-C which ends the tests does not end the guard.
    detached: true,
  });
  guard.unref();
  // The guard is killed before its pipe is closed; what it was told is then never done.
  guard.stdin.on('error', () => {});
  return () => {
    guard.kill('SIGKILL');
  };
}
