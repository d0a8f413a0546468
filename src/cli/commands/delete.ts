import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { notABroker } from '../answer-fields.ts';
import { BrokerApi, apiPath } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { RefusedError } from '../broker-errors.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { examples } from '../program.ts';
import { counted } from '../readable-values.ts';
import { printable } from '../terminal-text.ts';

interface DeleteOptions extends AccessOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `sluice delete`: all events, the state and the end of channels. */
export function deleteCommand(context: CliContext): Command {
  const command = new Command('delete')
    .summary('delete the events of channels')
    .description(
      'Deletes all events of channels, their state and their end. Subscribers stay, and get sluice:cleared.',
    )
    .argument('<channels...>', 'names of the channels')
    .option('-y, --yes', 'do not ask (needed when the input is not a terminal)')
    .option('--json', 'one JSON object a line')
    .action((channels: string[], options: DeleteOptions) => deleteChannels(channels, options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['asks first', 'sluice delete orders.42'],
    ['several, in a script', 'sluice delete --yes orders.42 orders.43'],
  ]);
}

async function deleteChannels(
  channels: readonly string[],
  { yes = false, json = false, ...access }: DeleteOptions,
  context: CliContext,
): Promise<void> {
  const { stdout, stderr, signal } = context;
  const api = new BrokerApi(brokerAccess(access, context), signal);
  const paths = channels.map((channel) => apiPath('channels', channel));
  if (!yes) await confirm(channels, context);
  stdout.mayClose();
  const absent: string[] = [];
  let deleted = 0;
  try {
    for (const [index, channel] of channels.entries()) {
      const found = await deleteChannel(api, paths[index] ?? '');
      if (found) deleted++;
      else absent.push(printable(channel));
      if (json) await stdout.json({ channel, deleted: found });
      else if (found) await stdout.line(`deleted ${stdout.foreign(channel)}`);
    }
  } catch (error) {
    if (channels.length > 1)
      await stderr.line(`Deleted before this: ${deleted} of ${counted(channels.length, 'channel')}.`);
    throw error;
  }
  if (absent.length > 0) throw new CliError(`There is nothing to delete in ${absent.join(', ')}.`);
}

/** Returns false when there is nothing to delete. */
async function deleteChannel(api: BrokerApi, path: string): Promise<boolean> {
  try {
    const { status } = await api.request({ method: 'DELETE', path, as: 'publisher' });
    if (status !== 204) throw notABroker();
    return true;
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return false;
    throw error;
  }
}

/** @throws CliError when the user does not agree, or cannot be asked */
async function confirm(channels: readonly string[], { stdin, stderr, signal }: CliContext): Promise<void> {
  if (!stdin.isTTY || !stderr.isTerminal)
    throw new CliError('Deleting needs --yes when nobody can be asked on a terminal.', 2);
  const what =
    channels.length === 1 ? `"${printable(channels[0] ?? '')}"` : counted(channels.length, 'channel');
  await stderr.write(`Delete all events of ${what}? [y/N] `);
  const lines = createInterface({ input: stdin, terminal: false });
  try {
    const answer = await Promise.race([
      once(lines, 'line', { signal }).then(([line]) => String(line)),
      once(lines, 'close', { signal }).then(() => ''),
    ]);
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new CliError('Nothing was deleted.');
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    lines.close();
  }
}
