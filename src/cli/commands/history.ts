import { Command } from 'commander';
import { fieldsOf, notABroker, objectsIn, textIn } from '../answer-fields.ts';
import type { Fields } from '../answer-fields.ts';
import { withAccessOptions, brokerAccess } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { apiPath, BrokerApi } from '../broker-api.ts';
import type { CliContext } from '../context.ts';
import { eventLine } from '../event-line.ts';
import type { ShownEvent } from '../event-line.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';

interface HistoryOptions extends AccessOptions {
  readonly after?: string;
  readonly last?: number;
  readonly since?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** Events of a page. Fewer, larger pages would take longer until their first event is printed. */
const PAGE_EVENTS = 1_000;
const MAX_EVENTS = 1_000_000_000;

export function historyCommand(context: CliContext): Command {
  const command = new Command('history')
    .summary('print the kept events of a channel')
    .description(
      'Prints the events of a channel that the broker still keeps, oldest first, and ends. Without an option it begins at the first kept event.',
    )
    .argument('<channel>', 'name of the channel')
    .option('--after <id>', 'only events after this id')
    .option('--last <n>', 'only the newest events', wholeNumber(1, MAX_EVENTS))
    .option('--since <time>', 'only events since a time: 2026-01-31T12:00:00Z, or ms since 1970')
    .option('--limit <n>', 'at most this many events', wholeNumber(1, MAX_EVENTS))
    .option('--json', 'one JSON object in a line for each event')
    .action((channel: string, options: HistoryOptions) => printHistory(context, channel, options));
  withAccessOptions(command, 'subscriber');
  return examples(command, context, [
    ['everything that is kept', 'sluice history orders.42'],
    ['the newest ten', 'sluice history orders.42 --last 10'],
    [
      'the data of all events of today, for jq',
      'sluice history orders.42 --since 2026-01-31T00:00:00Z --json | jq -r .data',
    ],
  ]);
}

async function printHistory(context: CliContext, channel: string, options: HistoryOptions): Promise<void> {
  const api = new BrokerApi(brokerAccess(options, context), context.signal);
  const { stdout, stderr } = context;
  const { last, since, json = false } = options;
  let rest = options.limit ?? MAX_EVENTS;
  let after = options.after ?? (last === undefined && since === undefined ? 'earliest' : undefined);
  const begin: Record<string, string | number | undefined> = { last, since };
  for (let first = true; rest > 0; first = false) {
    const limit = Math.min(PAGE_EVENTS, rest);
    const page = fieldsOf(
      await api.json({
        path: apiPath('channels', channel, 'events'),
        query: { ...(after === undefined ? begin : { after }), limit },
      }),
    );
    const events = objectsIn(page, 'events').map((event) => eventOf(channel, event));
    // Nobody has seen the events before the first kept one, so without --after and --since nothing is missing.
    const asked = !first || options.after !== undefined || since !== undefined;
    if (page['complete'] !== true && asked) {
      if (json)
        await stdout.json({ channel, gap: true, after: after ?? null, before: events[0]?.id ?? null });
      await stderr.line(`Events of ${channel} are missing here: the broker no longer keeps them.`);
    }
    for (const event of events) await (json ? stdout.json(event) : stdout.write(eventLine(stdout, event)));
    rest -= events.length;
    after = textIn(page, 'next');
    if (events.length === 0) return;
  }
}

/** @throws CliError when a broker sends no such event */
function eventOf(channel: string, fields: Fields): ShownEvent {
  const { id, data } = fields;
  if (typeof id !== 'string' || typeof data !== 'string') throw notABroker();
  return { channel, ...fields, id, data };
}
