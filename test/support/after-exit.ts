import { spawn } from 'node:child_process';

/**
 * Starts a shell that runs `command` when this process ends, also after SIGKILL. SIGKILL leaves no time for an exit
 * handler, but it closes the pipe that the shell reads from. `args` are the command's $1, $2 and so on.
 * @returns a function that cancels the command
 */
export function afterExit(command: string, ...args: readonly string[]): () => void {
  const guard = spawn('sh', ['-c', `read -r _; ${command}`, 'after-exit', ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // The shell has its own process group, so the Ctrl-C that ends the tests does not end the shell.
    detached: true,
  });
  guard.unref();
  // The shell is killed before its pipe is closed, so a cancelled command never runs.
  guard.stdin.on('error', () => {});
  return () => {
    guard.kill('SIGKILL');
  };
}
