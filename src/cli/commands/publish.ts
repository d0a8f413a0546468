import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { fieldsOf, notABroker } from '../answer-fields.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { apiPath, BrokerApi } from '../broker-api.ts';
import type { ApiRequest } from '../broker-api.ts';
import { NoAnswerError } from '../broker-errors.ts';
import { CliError, Interruption } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { repeated } from '../option-values.ts';
import { examples } from '../program.ts';
import { publishNdjson, publishUpload } from '../publish-many.ts';

interface PublishOptions extends AccessOptions {
  readonly channel?: readonly string[];
  readonly event?: string;
  readonly stateKey?: string;
  readonly ifLast?: string;
  readonly idempotencyKey?: string;
  readonly close?: boolean;
  readonly file?: string;
  readonly lines?: boolean;
  readonly sse?: boolean;
  readonly ndjson?: boolean;
  readonly json?: boolean;
}

const DESCRIPTION = `Publishes one event, or a stream of them.

With DATA, or with --file, it publishes one event and prints its id. Without them each line of stdin is an event, published as it arrives, and the id of the last one is printed at the end. "-" as DATA is stdin, too. Data that begin with "-" come after "--".`;

export function publishCommand(context: CliContext): Command {
  const command = new Command('publish')
    .summary('publish an event, a file, or each line of stdin')
    .description(DESCRIPTION)
    .argument('[channel]', 'name of the channel')
    .argument('[data]', 'data of the event')
    .option('-e, --event <type>', 'type of the event, or of each line')
    .option(
      '-c, --channel <name>',
      "instead of the argument; repeat it for several channels ('*': all with subscribers)",
      repeated,
    )
    .option('--state-key <key>', "the event is the newest value of this key in the channel's state")
    .option(
      '--if-last <id>',
      "publish only if this is the channel's newest event (0-0: the channel never had one)",
    )
    .option(
      '--idempotency-key <key>',
      'publish once, however often it is sent with this key within SLUICE_IDEMPOTENCY_TTL (10 minutes)',
    )
    .option('--close', 'end the channel after it, or end it without an event')
    .optionsGroup('Input:')
    .option('-f, --file <file>', 'the data of one event; or the input of --lines, --sse and --ndjson')
    .addOption(new Option('--lines', 'each line is an event').conflicts(['sse', 'ndjson']))
    .addOption(
      new Option('--sse', 'the input is an event stream: keep its types and data').conflicts([
        'lines',
        'ndjson',
      ]),
    )
    .addOption(
      new Option(
        '--ndjson',
        'each line is a JSON object such as {"channel":"a","event":"b","data":1}',
      ).conflicts(['event', 'stateKey', 'ifLast', 'close', 'channel']),
    )
    .optionsGroup('Output:')
    .option('--json', "print the broker's answer")
    .action((channel: string | undefined, data: string | undefined, options: PublishOptions) =>
      publish(context, [channel, data], options),
    );
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['one event', `sluice publish orders.42 '{"total":12}' --event created`],
    ['each line of a log as it is written', 'tail -f app.log | sluice publish logs'],
    [
      'the answer of a model as it comes, then end the channel',
      'curl -N https://model.example/answer | sluice publish answers.7 --sse --close',
    ],
    ['a file with events of many channels', 'sluice publish --ndjson --file events.ndjson'],
  ]);
}

async function publish(
  context: CliContext,
  [first, second]: readonly (string | undefined)[],
  options: PublishOptions,
): Promise<void> {
  const api = new BrokerApi(brokerAccess(options, context), context.signal);
  const { ndjson = false, lines = false, sse = false, file, json = false, idempotencyKey } = options;
  if (ndjson) {
    if (first !== undefined)
      throw new CliError('With --ndjson each line names its channel, and there is no argument.', 2);
    return await publishNdjson(context, api, { file, json, idempotencyKey });
  }
  const { channels, data } = targets(first, second, options);
  const fromInput = data === undefined || data === '-';
  if (data !== undefined && file !== undefined) throw new CliError('Give the data or --file, not both.', 2);
  if (data !== undefined && !fromInput && (lines || sse))
    throw new CliError('--lines and --sse divide an input: stdin, or --file.', 2);
  if (fromInput && (file === undefined || lines || sse)) {
    const endsOnly =
      options.close === true && data === undefined && file === undefined && context.stdin.isTTY;
    if (!endsOnly) {
      const [channel, more] = channels;
      if (channel === undefined || more !== undefined || channel === '*')
        throw new CliError('Each line of an input goes to one channel. Give the data, or one channel.', 2);
      return await publishUpload(context, api, { ...options, channel, each: sse ? 'event' : 'line', json });
    }
  }
  await publishOne(context, api, { channels, data: fromInput ? undefined : data, options });
}

/** Which arguments are channels, and which is the data. */
function targets(
  first: string | undefined,
  second: string | undefined,
  { channel }: PublishOptions,
): { readonly channels: readonly string[]; readonly data: string | undefined } {
  if (channel === undefined) {
    if (first === undefined) throw new CliError('Which channel? Write: sluice publish CHANNEL DATA', 2);
    return { channels: [first], data: second };
  }
  if (second !== undefined) throw new CliError('With --channel the only argument is the data.', 2);
  return { channels: channel, data: first };
}

interface OneEvent {
  readonly channels: readonly string[];
  readonly data: string | undefined;
  readonly options: PublishOptions;
}

interface Published {
  readonly id?: string;
  readonly published?: number;
  readonly complete?: boolean;
  readonly events?: readonly { readonly channel: string; readonly id: string }[];
}

async function publishOne(context: CliContext, api: BrokerApi, one: OneEvent): Promise<void> {
  const { stdout, stderr } = context;
  const [channel = ''] = one.channels;
  const single = one.channels.length === 1 && channel !== '*';
  let answer: Published;
  try {
    const request = single ? await toOneChannel(channel, one) : await toManyChannels(one);
    answer = fieldsOf(await api.json(request));
  } catch (error) {
    if (error instanceof Interruption)
      await stderr.line('Interrupted before the answer: the event may have been published.');
    if (error instanceof NoAnswerError)
      throw new CliError(`${error.message} The event may have been published.`);
    throw error;
  }
  if (answer.id === undefined && !Array.isArray(answer.events) && answer.published === undefined)
    throw notABroker();
  if (one.options.json === true) return await stdout.json(answer);
  if (answer.id !== undefined) return await stdout.line(stdout.foreign(answer.id));
  for (const { channel: name, id } of answer.events ?? []) await stdout.line(stdout.foreign(`${name} ${id}`));
  if (answer.published !== undefined) await stdout.line(stdout.foreign(`${answer.published} channels`));
  if (answer.complete === false)
    await stderr.line('A replica did not answer in time: channels that only it has are left out.');
}

async function toOneChannel(channel: string, { data, options }: OneEvent): Promise<ApiRequest> {
  const { event, stateKey, close = false, ifLast, idempotencyKey, file } = options;
  const size = file === undefined ? undefined : await sizeOf(file);
  return {
    method: 'POST',
    as: 'publisher',
    path: apiPath('publish', channel),
    query: { event, key: stateKey, ...(close && { close: 'true' }) },
    headers: {
      'content-type': 'application/octet-stream',
      ...(size !== undefined && { 'content-length': String(size) }),
      ...(ifLast !== undefined && { 'if-match': ifLast }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    body:
      file === undefined
        ? Buffer.from(data ?? '')
        : createReadStream(file, size === undefined ? {} : { end: size - 1 }),
  };
}

async function toManyChannels({ channels, data, options }: OneEvent): Promise<ApiRequest> {
  const { event, stateKey: key, close, ifLast, idempotencyKey, file } = options;
  return {
    method: 'POST',
    as: 'publisher',
    path: apiPath('publish'),
    headers: { ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }) },
    json: {
      channels: channels.length === 1 ? channels[0] : channels,
      data: file === undefined ? data : await textOf(file),
      event,
      key,
      close,
      ifLast,
    },
  };
}

/** The size of a plain file. A pipe has none, and neither has a file of /proc: both are sent as they arrive. */
async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw new Error('it is a folder');
    return stats.isFile() && stats.size > 0 ? stats.size : undefined;
  } catch (error) {
    throw new CliError(`Cannot read ${file}: ${(error as Error).message}.`);
  }
}

async function textOf(file: string): Promise<string> {
  await sizeOf(file);
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(file)) chunks.push(chunk as Buffer);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new CliError(`${file} is not UTF-8 text.`);
  }
}
