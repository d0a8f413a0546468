import { healthcheck } from './cli/healthcheck.ts';
import { holdSignals } from './cli/hold-signals.ts';
import { say } from './cli/say.ts';
import { ConfigError, loadConfig, packageVersion } from './config.ts';

const USAGE = `usage: node src/main.ts [command]

  serve         run the broker (the default); settings come from the environment
  healthcheck   exit with 0 when the broker on this machine answers, for container health checks
  version       say which version this is (also --version, -v)
  help          say this (also --help, -h)
`;

async function main(command: string | undefined): Promise<void> {
  switch (command) {
    case undefined:
    case 'serve': {
      holdSignals();
      // Loaded only here: a health check runs every few seconds and needs none of it.
      const { serve } = await import('./cli/serve.ts');
      await serve(process.env);
      return;
    }
    case 'healthcheck': {
      const { host, port, adminPort, tlsCert } = loadConfig(process.env);
      const tls = adminPort === undefined && tlsCert !== undefined;
      process.exitCode = await healthcheck({ host, port: adminPort ?? port, tls });
      return;
    }
    case 'version':
    case '--version':
    case '-v':
      say('stdout', `sluice ${packageVersion()} (Node ${process.version})\n`);
      return;
    case 'help':
    case '--help':
    case '-h':
      say('stdout', USAGE);
      return;
    default:
      say('stderr', `There is no command "${command}".\n\n${USAGE}`);
      process.exitCode = 2;
  }
}

try {
  await main(process.argv[2]);
} catch (error) {
  if (error instanceof ConfigError) {
    for (const problem of error.problems) say('stderr', `sluice: ${problem}\n`);
  } else {
    const { code, message } = error as NodeJS.ErrnoException;
    const expected = code === 'EADDRINUSE' || code === 'EACCES';
    say('stderr', `sluice: ${expected ? message : (error as Error).stack}\n`);
  }
  process.exit(1);
}
