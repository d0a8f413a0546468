import { Command } from 'commander';
import { fieldsOf, numberIn, objectsIn, textIn } from '../answer-fields.ts';
import { BrokerApi } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';
import { readableDuration } from '../readable-values.ts';
import { table } from '../table.ts';

const SECOND_MS = 1_000;
const COLUMNS = [
  { title: 'replica' },
  { title: 'version' },
  { title: 'streams', alignRight: true },
  { title: 'uptime', alignRight: true },
];
const LOGS: Readonly<Record<string, string>> = { redis: 'Redis', disk: 'on disk', embedded: 'in memory' };

interface StatusOptions extends AccessOptions {
  readonly settings?: boolean;
  readonly json?: boolean;
}

/** `sluice status`: the broker, its log and its replicas. */
export function statusCommand(context: CliContext): Command {
  const command = new Command('status')
    .summary('show the broker, its log and its replicas')
    .description('Shows the log of the broker, and the version, the streams and the uptime of each replica.')
    .option('--settings', 'also the settings in force, without secrets')
    .option('--json', 'print the answer of the broker as JSON')
    .action((options: StatusOptions) => showStatus(options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['is the log up, and who else is there?', 'sluice status'],
    ['which settings are in force', 'sluice status --settings'],
    ['how many streams all replicas have, for jq', `sluice status --json | jq '[.replicas[].streams] | add'`],
  ]);
}

async function showStatus(
  { settings = false, json = false, ...access }: StatusOptions,
  context: CliContext,
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const api = new BrokerApi(brokerAccess(access, context), signal);
  const status = fieldsOf(await api.json({ path: '/status', as: 'publisher' }));
  if (json) return stdout.json(status);
  const log = fieldsOf(status['log']);
  const kind = textIn(log, 'kind');
  const trouble = textIn(log, 'trouble');
  const state = log['up'] === true ? stdout.style('green', 'up') : stdout.style('red', 'down');
  const detail = trouble === '' ? '' : `: ${stdout.foreign(trouble)}`;
  await stdout.line(`${stdout.style('bold', 'log')}  ${stdout.foreign(LOGS[kind] ?? kind)}, ${state}${detail}`);
  await stdout.line();
  const rows = objectsIn(status, 'replicas').map((replica) => [
    textIn(replica, 'replica'),
    textIn(replica, 'version'),
    numberIn(replica, 'streams').toLocaleString('en-US'),
    readableDuration(numberIn(replica, 'uptime') * SECOND_MS),
  ]);
  for (const line of table(stdout, COLUMNS, rows)) await stdout.line(line);
  if (settings) {
    const fields = fieldsOf(status['settings']);
    await stdout.line();
    const names = Object.keys(fields).map((name) => [name, textIn(fields, name)]);
    for (const line of table(stdout, [{ title: 'setting' }, { title: 'value' }], names)) await stdout.line(line);
  }
  if (status['complete'] === false)
    await stderr.line('Not every replica has answered: the list has only those that did.');
}
