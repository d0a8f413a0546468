import { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';

/** Only the help: main.ts runs the check and loads no parser, because a container engine asks every few seconds. */
export function healthcheckCommand(context: CliContext): Command {
  const command = new Command('healthcheck')
    .summary('exit with 0 when the broker on this machine answers')
    .description(
      'Asks the broker on this machine whether it is alive, at the address of its settings (HOST, PORT, SLUICE_ADMIN_PORT, SLUICE_TLS_CERT). For health checks of containers.',
    );
  return examples(command, context, [['in a Dockerfile', 'HEALTHCHECK CMD ["sluice", "healthcheck"]']]);
}
