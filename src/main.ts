import { writeSync } from 'node:fs';
import { healthcheck } from './cli/healthcheck.ts';
import { ConfigError, loadConfig, packageVersion } from './config/config.ts';

const USAGE = `usage: node src/main.ts [command]

  serve         run the broker (the default); settings come from the environment
  healthcheck   exit with 0 when the broker on this machine answers, for container health checks
  version       print the version (also --version, -v)
  help          print this help (also --help, -h)
`;

/** By default SIGHUP and SIGUSR2 end the process, and SIGUSR1 opens Node's debugger. */
const IGNORED_DURING_START = ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;

async function main(command: string | undefined): Promise<void> {
  switch (command) {
    case undefined:
    case 'serve': {
      // Until `serve` gives these signals actions, they do nothing.
      for (const signal of IGNORED_DURING_START) process.on(signal, () => undefined);
      // Loaded only for this command: a health check runs every few seconds and does not need the broker's modules.
      const { serve } = await import('./cli/serve.ts');
      await serve(process.env);
      return;
    }
    case 'healthcheck': {
      const { host, port, adminPort, tlsCert } = loadConfig(process.env);
      const tls = adminPort === undefined && tlsCert !== undefined;
      const fault = await healthcheck({ host, port: adminPort ?? port, tls });
      if (fault !== undefined) {
        print('stderr', `sluice: ${fault}\n`);
        process.exitCode = 1;
      }
      return;
    }
    case 'version':
    case '--version':
    case '-v':
      print('stdout', `sluice ${packageVersion()} (Node ${process.version})\n`);
      return;
    case 'help':
    case '--help':
    case '-h':
      print('stdout', USAGE);
      return;
    default:
      print('stderr', `There is no command "${command}".\n\n${USAGE}`);
      process.exitCode = 2;
  }
}

/** Writes a text for the person who runs the command. Ignores write errors, because there is nowhere to report them. */
function print(to: 'stdout' | 'stderr', text: string): void {
  try {
    writeSync(to === 'stdout' ? 1 : 2, text);
  } catch {
    // The disk is full or the pipe is closed.
  }
}

try {
  await main(process.argv[2]);
} catch (error) {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) print('stderr', `sluice: ${problem}\n`);
  } else {
    const { code, message } = error as NodeJS.ErrnoException;
    const expected = code === 'EADDRINUSE' || code === 'EACCES';
    print('stderr', `sluice: ${expected ? message : (error as Error).stack}\n`);
  }
  process.exit(1);
}
