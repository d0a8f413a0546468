import { Command } from 'commander';
import { fieldsOf, numberIn, objectsIn, textIn } from '../answer-fields.ts';
import { BrokerApi, apiPath } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';
import { counted, readableTime } from '../readable-values.ts';
import { table } from '../table.ts';

/** The broker names no more subscribers in an answer. */
const MAX_SUBSCRIBERS = 1_000;
const COLUMNS = [
  { title: 'sub' },
  { title: 'since' },
  { title: 'behind', alignRight: true },
  { title: 'position' },
  { title: 'replica' },
];

interface WhoOptions extends AccessOptions {
  readonly sub?: string;
  readonly limit: number;
  readonly json?: boolean;
}

/** `sluice who`: the subscribers of a channel. */
export function whoCommand(context: CliContext): Command {
  const command = new Command('who')
    .summary('list the subscribers of a channel')
    .description('Lists who listens to a channel now, and how many events each subscriber is behind.')
    .argument('<channel>', 'name of the channel')
    .option('--sub <sub>', 'only streams of tokens with this subject')
    .option('--limit <n>', 'how many subscribers', wholeNumber(1, MAX_SUBSCRIBERS), MAX_SUBSCRIBERS)
    .option('--json', 'print the answer of the broker as JSON')
    .action((channel: string, options: WhoOptions) => who(channel, options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['everybody', 'sluice who orders.42'],
    ['the streams of one user', 'sluice who orders.42 --sub user-7'],
  ]);
}

async function who(
  channel: string,
  { sub, limit, json = false, ...access }: WhoOptions,
  context: CliContext,
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const api = new BrokerApi(brokerAccess(access, context), signal);
  const path = apiPath('channels', channel, 'subscribers');
  const answer = fieldsOf(await api.json({ path, query: { sub, limit }, as: 'publisher' }));
  if (json) return stdout.json(answer);
  const subscribers = objectsIn(answer, 'subscribers');
  const rows = subscribers.map((subscriber) => [
    textIn(subscriber, 'sub') || '-',
    readableTime(Date.parse(textIn(subscriber, 'since'))),
    textIn(subscriber, 'behind'),
    textIn(subscriber, 'position'),
    textIn(subscriber, 'replica'),
  ]);
  if (rows.length > 0) for (const line of table(stdout, COLUMNS, rows)) await stdout.line(line);
  const count = numberIn(answer, 'count');
  if (count !== rows.length) await stderr.line(`${rows.length} of ${counted(count, 'subscriber')}.`);
  else if (count === 0) await stderr.line('Nobody listens to this channel now.');
  if (answer['complete'] === false)
    await stderr.line('Not every replica has answered: its subscribers are missing.');
}
