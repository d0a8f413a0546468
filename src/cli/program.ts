import { Command, CommanderError } from 'commander';
import { packageVersion } from '../config/config.ts';
import type { CliContext } from './context.ts';

/**
 * The command line without `serve` and `healthcheck`, whose fast path is in main.ts.
 * @returns the exit code
 */
export async function runProgram(args: readonly string[], context: CliContext): Promise<number> {
  const program = new Command('sluice')
    .description('A broker for Server-Sent Events: publish with a POST, listen with an EventSource.')
    .version(`sluice ${packageVersion()} (Node ${process.version})`, '-v, --version', 'print the version')
    .exitOverride();
  void context;
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has printed its message. Its own errors are wrong uses, apart from help and version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    throw error;
  }
}
