import { Command } from 'commander';
import { fieldsOf, notABroker, numberIn, objectsIn, textIn } from '../answer-fields.ts';
import type { Fields } from '../answer-fields.ts';
import { BrokerApi, apiPath } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';
import { readableBytes, readableDuration, readableTime, timeOfId } from '../readable-values.ts';
import { table } from '../table.ts';

/** The broker gives no more channels in an answer. */
const PAGE = 1_000;
const MAX_CHANNELS = 1_000_000_000;
const COLUMNS = [
  { title: 'channel' },
  { title: 'events', alignRight: true },
  { title: 'last event' },
  { title: 'ended' },
];

interface ChannelsOptions extends AccessOptions {
  readonly limit?: number;
  readonly json?: boolean;
}

/** `sluice channels`: all channels that the log knows, page by page. */
export function channelsCommand(context: CliContext): Command {
  const command = new Command('channels')
    .summary('list the channels')
    .description(
      'Lists all channels that the broker knows, in no order. On a terminal the titles come again every 1,000 channels.',
    )
    .argument('[prefix]', 'only channels whose names begin with this')
    .option('--limit <n>', 'stop after this many channels', wholeNumber(1, MAX_CHANNELS))
    .option('--json', 'one JSON object a line')
    .action((prefix: string | undefined, options: ChannelsOptions) => listChannels(prefix, options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['all channels whose names begin with orders.', 'sluice channels orders.'],
    [
      'the names of the channels that have ended, for jq',
      `sluice channels --json | jq -r 'select(.ended).channel'`,
    ],
  ]);
}

async function listChannels(
  prefix: string | undefined,
  { limit = MAX_CHANNELS, json = false, ...access }: ChannelsOptions,
  context: CliContext,
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const api = new BrokerApi(brokerAccess(access, context), signal);
  let listed = 0;
  let after: string | undefined;
  do {
    const query = { prefix, after, limit: Math.min(PAGE, limit - listed) };
    const page = fieldsOf(await api.json({ path: '/channels', query, as: 'publisher' }));
    // A page may have a few more channels than it was asked for.
    const channels = objectsIn(page, 'channels').slice(0, limit - listed);
    listed += channels.length;
    if (json) for (const channel of channels) await stdout.json(channel);
    else if (channels.length > 0)
      for (const line of table(stdout, COLUMNS, channels.map(channelRow))) await stdout.line(line);
    after = textIn(page, 'next') || undefined;
  } while (after !== undefined && listed < limit);
  if (listed === 0 && !json)
    await stderr.line(prefix === undefined ? 'There are no channels.' : 'No channel has this prefix.');
}

function channelRow(channel: Fields): string[] {
  const last = timeOfId(textIn(channel, 'last'));
  return [
    textIn(channel, 'channel'),
    textIn(channel, 'length'),
    last === undefined ? '' : readableTime(last),
    channel['ended'] === true ? 'ended' : '',
  ];
}

/** `sluice channel`: what the broker knows about a single channel. */
export function channelCommand(context: CliContext): Command {
  const command = new Command('channel')
    .summary('show one channel')
    .description('Shows one channel: its events, its policy and how many subscribers it has.')
    .argument('<channel>', 'name of the channel')
    .option('--json', 'print the answer of the broker as JSON')
    .action((channel: string, options: ChannelsOptions) => showChannel(channel, options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['what is kept of a channel, and for how long', 'sluice channel orders.42'],
    ['its subscribers, one by one', 'sluice who orders.42'],
  ]);
}

async function showChannel(
  channel: string,
  { json = false, ...access }: ChannelsOptions,
  context: CliContext,
): Promise<void> {
  const { stdout } = context;
  const api = new BrokerApi(brokerAccess(access, context), context.signal);
  const answer = fieldsOf(await api.json({ path: apiPath('channels', channel), as: 'publisher' }));
  if (json) return stdout.json(answer);
  if (textIn(answer, 'channel') === '') throw notABroker();
  const policy = fieldsOf(answer['policy'] ?? {});
  const history = fieldsOf(policy['history'] ?? {});
  const size = numberIn(history, 'size').toLocaleString('en-US');
  const rows: readonly (readonly [name: string, value: string])[] = [
    ['channel', textIn(answer, 'channel')],
    ['events', textIn(answer, 'length')],
    ['first event', eventText(textIn(answer, 'first'))],
    ['last event', eventText(textIn(answer, 'last'))],
    ['keys', textIn(answer, 'keys')],
    ['memory', readableBytes(numberIn(answer, 'bytes'))],
    ['ended', answer['ended'] === true ? 'yes' : 'no'],
    ['subscribers', `${textIn(answer, 'subscribers')}${answer['complete'] === false ? ' or more' : ''}`],
    ['public', policy['public'] === true ? 'yes' : 'no'],
    ['keeps', `${size} events for ${readableDuration(numberIn(history, 'ttl'))}`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows)
    await stdout.line(`${stdout.style('bold', name.padEnd(width))}  ${stdout.foreign(value)}`);
}

function eventText(id: string): string {
  const time = timeOfId(id);
  return time === undefined ? 'none' : `${id}, ${readableTime(time)}`;
}
