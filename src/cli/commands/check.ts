import { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';
import { counted } from '../readable-values.ts';
import { table } from '../table.ts';

interface CheckOptions {
  readonly json?: boolean;
}

/** `sluice check`: reads the settings as `serve` would. */
export function checkCommand(context: CliContext): Command {
  const command = new Command('check')
    .summary('check the settings')
    .description('Checks the settings in the environment as "sluice serve" does, and shows those in force, without secrets. It starts nothing.')
    .option('--json', 'print one JSON object')
    .action((options: CheckOptions) => checkSettings(options, context));
  return examples(command, context, [
    ['before a deploy, in the environment of the broker', 'sluice check'],
    ['the settings of a file', 'env $(cat broker.env) sluice check'],
  ]);
}

async function checkSettings({ json = false }: CheckOptions, { env, stdout, stderr }: CliContext): Promise<void> {
  // Loaded only for this command: it takes longer than all the rest.
  const { ConfigError, loadConfig, logKind } = await import('../../config/config.ts');
  let config: Config;
  try {
    config = loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems } = error;
    if (json) await stdout.json({ valid: false, problems });
    else for (const problem of problems) await stderr.line(stderr.foreign(problem));
    throw new CliError(`The settings are not valid: ${counted(problems.length, 'problem')}.`);
  }
  const { shown, warnings } = config;
  if (json) return stdout.json({ valid: true, log: logKind(config), settings: shown, warnings });
  for (const warning of warnings)
    await stderr.line(`${stderr.style('yellow', 'warning:')} ${stderr.foreign(warning)}`);
  const isSet = (name: string): boolean => [name, `${name}_FILE`].some((one) => (env[one] ?? '').trim() !== '');
  const rows = Object.entries(shown).map(([name, value]) => [name, value, isSet(name) ? 'set' : 'default']);
  for (const line of table(stdout, [{ title: 'setting' }, { title: 'value' }, { title: 'from' }], rows))
    await stdout.line(line);
  await stdout.line();
  await stdout.line(stdout.style('green', 'The settings are valid.'));
}
