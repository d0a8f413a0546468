import { healthcheck } from './cli/healthcheck.ts';
import { say } from './cli/say.ts';
import { ConfigError, loadConfig } from './config.ts';

const USAGE = `usage: node src/main.ts [command]

  serve         run the broker (the default); settings come from the environment
  healthcheck   exit with 0 when the broker on this machine answers, for container health checks
`;

async function main(command: string | undefined): Promise<void> {
  switch (command) {
    case undefined:
    case 'serve': {
      // Loaded only here: a health check runs every few seconds and needs none of it.
      const { serve } = await import('./cli/serve.ts');
      await serve(process.env);
      return;
    }
    case 'healthcheck': {
      const { port, adminPort, tlsCert } = loadConfig(process.env);
      const overTls = adminPort === undefined && tlsCert !== undefined;
      process.exitCode = await healthcheck(adminPort ?? port, overTls);
      return;
    }
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
