import { writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { fieldsOf, numberIn, objectsIn, textIn } from '../answer-fields.ts';
import { BrokerApi } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { RefusedError } from '../broker-errors.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext, CliOutput } from '../context.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';
import { readableTime } from '../readable-values.ts';
import { table } from '../table.ts';
import { truncate } from '../terminal-text.ts';

const INTERVAL_MS = 2_000;
/** The broker names no more channels in a list. */
const MAX_CHANNELS = 100;
/** The title and an empty line. */
const LINES_ABOVE = 2;
/** The alternate screen keeps what was on the screen before. No cursor, and no line is wrapped. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

const ORDERS = ['deliveries', 'publishes', 'subscribers'] as const;
type Order = (typeof ORDERS)[number];

const COLUMNS = [
  { title: 'channel' },
  { title: 'deliveries/min', alignRight: true },
  { title: 'publishes/min', alignRight: true },
  { title: 'subscribers', alignRight: true },
];

interface TopOptions extends AccessOptions {
  readonly sort: Order;
  readonly limit: number;
  readonly once?: boolean;
  readonly json?: boolean;
}

/** A channel with its counts. A count is unknown when the channel is not in a list that is full. */
interface BusyChannel extends Partial<Record<Order, number>> {
  readonly channel: string;
}

/** `sluice top`: the busiest channels of the last minute. */
export function topCommand(context: CliContext): Command {
  const command = new Command('top')
    .summary('show the busiest channels')
    .description(
      'Shows the busiest channels of the last minute. On a terminal it draws the list again every 2 s, until Ctrl-C.',
    )
    .addOption(
      new Option('--sort <count>', 'the busiest by this count').choices(ORDERS).default('deliveries'),
    )
    .option('--limit <n>', 'how many channels', wholeNumber(1, MAX_CHANNELS), 20)
    .option('--once', 'print the list once, also on a terminal')
    .option('--json', 'print the answer of the broker as JSON, once')
    .action((options: TopOptions) => top(options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['the channels with the most deliveries', 'sluice top'],
    ['the five channels with the most subscribers, once', 'sluice top --sort subscribers --limit 5 --once'],
  ]);
}

async function top(options: TopOptions, context: CliContext): Promise<void> {
  const { sort, limit, once = false, json = false, ...access } = options;
  const { stdout, stderr, signal } = context;
  const api = new BrokerApi(brokerAccess(access, context), signal);
  const query = { busiest: json ? limit : MAX_CHANNELS };
  const read = () => api.json({ path: '/channels', query, as: 'publisher' });
  const first = await read();
  if (json) return stdout.json(first);
  if (once || !stdout.isTerminal || context.env['TERM'] === 'dumb') {
    const { channels, complete } = busiest(first, sort);
    if (channels.length === 0) await stderr.line('Nothing happened in the last minute.');
    else for (const line of linesOf(stdout, channels.slice(0, limit))) await stdout.line(line);
    if (!complete) await stderr.line('Not every replica has answered: its counts are missing.');
    return;
  }
  await watch({ first, read, sort, limit, url: api.access.url }, stdout, signal);
}

interface Watched {
  readonly first: unknown;
  readonly read: () => Promise<unknown>;
  readonly sort: Order;
  readonly limit: number;
  readonly url: string;
}

async function watch(
  { first, read, sort, limit, url }: Watched,
  stdout: CliOutput,
  signal: AbortSignal,
): Promise<never> {
  // Also after a second Ctrl-C, which ends the process without unwinding.
  process.once('exit', restore);
  try {
    await stdout.write(ENTER);
    let answer = first;
    let trouble = '';
    for (;;) {
      const { channels, complete } = busiest(answer, sort);
      const note = trouble || (complete ? '' : 'not every replica has answered');
      const rows = (stdout.rows ?? Infinity) - LINES_ABOVE - 1;
      const shown = linesOf(stdout, channels.slice(0, limit)).slice(0, Math.max(1, rows));
      const title = truncate(
        `${readableTime(Date.now()).slice(11)}  ${url}  ${note}`,
        stdout.columns ?? Infinity,
      );
      const lines = [stdout.style(trouble === '' ? 'dim' : 'red', title), '', ...shown];
      await stdout.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`);
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
      try {
        answer = await read();
        trouble = '';
      } catch (error) {
        // A broker that restarts is back soon. A refused credential stays refused.
        if (signal.aborted || !(error instanceof CliError) || isFinal(error)) throw error;
        trouble = error.message;
      }
    }
  } finally {
    process.off('exit', restore);
    await stdout.write(LEAVE);
  }
}

function isFinal(error: CliError): boolean {
  return error instanceof RefusedError && (error.status === 401 || error.status === 403);
}

function busiest(
  answer: unknown,
  sort: Order,
): { readonly channels: readonly BusyChannel[]; readonly complete: boolean } {
  const fields = fieldsOf(answer);
  const channels = new Map<string, { channel: string } & Partial<Record<Order, number>>>();
  for (const order of ORDERS)
    for (const entry of objectsIn(fields, order)) {
      const name = textIn(entry, 'channel');
      const channel = channels.get(name) ?? { channel: name };
      channel[order] = numberIn(entry, 'count');
      channels.set(name, channel);
    }
  for (const order of ORDERS)
    if (objectsIn(fields, order).length < MAX_CHANNELS)
      for (const channel of channels.values()) channel[order] ??= 0;
  const orders = [sort, ...ORDERS];
  const sorted = [...channels.values()].toSorted((a, b) => {
    const first = orders.find((order) => (a[order] ?? 0) !== (b[order] ?? 0));
    return first === undefined ? 0 : (b[first] ?? 0) - (a[first] ?? 0);
  });
  return { channels: sorted, complete: fields['complete'] !== false };
}

function linesOf(stdout: CliOutput, channels: readonly BusyChannel[]): string[] {
  return table(
    stdout,
    COLUMNS,
    channels.map(({ channel, ...counts }) => [
      channel,
      ...ORDERS.map((order) => counts[order]?.toLocaleString('en-US') ?? ''),
    ]),
  );
}

function restore(): void {
  writeSync(1, LEAVE);
}
