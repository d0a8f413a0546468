import { Command, Option } from 'commander';
import { connect, iterate } from '../../../client/src/index.ts';
import type { EventIteration, SluiceClient, Start, Status } from '../../../client/src/index.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions, BrokerAccess } from '../broker-access.ts';
import { parseChannelName } from '../../events/channel-name.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { eventSink } from '../event-sink.ts';
import type { EventSink } from '../event-sink.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';
import { counted } from '../readable-values.ts';
import { watchedFetch } from '../watched-fetch.ts';

interface SubscribeOptions extends AccessOptions {
  readonly after?: string;
  readonly last?: number;
  readonly since?: string;
  readonly state?: boolean;
  readonly json?: boolean;
  readonly raw?: boolean;
  readonly exec?: string;
  readonly keepGoing?: boolean;
  readonly count?: number;
}

const MAX_COUNT = 1_000_000_000;
const STARTS = ['after', 'last', 'since', 'state'];

/** The options that say where to begin exclude each other. */
function startOption(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.conflicts(STARTS.filter((name) => name !== option.attributeName()));
}

export function subscribeCommand(context: CliContext): Command {
  const command = new Command('subscribe')
    .summary('print the events of channels as they are published')
    .description(
      'Prints the events of channels as they are published, until the channels end or until Ctrl-C. It comes back by itself after every loss of the connection, and misses and repeats nothing. Where events may be missing, it says so.',
    )
    .argument('<channel...>', 'names of the channels')
    .optionsGroup('Where to begin:')
    .addOption(startOption('--last <n>', 'with the newest n events').argParser(wholeNumber(1, MAX_COUNT)))
    .addOption(
      startOption('--since <time>', 'with the events since a time: 2026-01-31T12:00:00Z, or ms since 1970'),
    )
    .addOption(
      startOption(
        '--after <id>',
        'with the event after this id. "earliest" is the first one; for several channels: a@1-0,b@2-0',
      ),
    )
    .addOption(startOption('--state', 'with the state: the newest event of each key'))
    .optionsGroup('Output:')
    .addOption(new Option('--json', 'one JSON object in a line for each event').conflicts('raw'))
    .option('--raw', 'only the data of each event')
    .option(
      '--exec <command>',
      'run a command of the shell for each event, one at a time: the data is its stdin, and SLUICE_CHANNEL, SLUICE_ID and SLUICE_EVENT are set',
    )
    .option('--keep-going', 'go on when a command fails')
    .option('--count <n>', 'end after n events', wholeNumber(1, MAX_COUNT))
    .action((channels: readonly string[], options: SubscribeOptions) =>
      subscribe(context, channels, options),
    );
  withAccessOptions(command, 'subscriber');
  return examples(command, context, [
    ['two channels', 'sluice subscribe orders.42 news'],
    [
      'the last ten events, and all that follow, for jq',
      'sluice subscribe news --last 10 --json | jq -r .data',
    ],
    ['a script for each event', `sluice subscribe jobs --exec './run-job "$SLUICE_ID"'`],
    ['wait for one event', 'sluice subscribe answers.7 --count 1 --raw'],
  ]);
}

async function subscribe(
  context: CliContext,
  names: readonly string[],
  options: SubscribeOptions,
): Promise<void> {
  const { json = false, raw = false, exec, keepGoing = false } = options;
  const channels = [...new Set(names.map(channelName))];
  const sink = eventSink(context, { json, raw, exec, keepGoing, withChannel: channels.length > 1 });
  const run = new SubscribeRun(context, sink, { json, count: options.count ?? MAX_COUNT });
  await run.follow(channels, brokerAccess(options, context), options);
}

interface RunOptions {
  readonly json: boolean;
  /** How many events to take. */
  readonly count: number;
}

/** One run of the command: takes events of all channels, one at a time. */
class SubscribeRun {
  readonly #context: CliContext;
  readonly #sink: EventSink;
  readonly #options: RunOptions;
  /** Ends with the last event that was given to the sink. */
  #turn: Promise<void> = Promise.resolve();
  #taken = 0;
  /** Where each channel goes on: after the last event that the sink has, or where the subscription began. */
  readonly #positions = new Map<string, string>();
  /** Channels with an event that the sink does not have yet. */
  readonly #waiting = new Set<string>();
  #client: SluiceClient | undefined;
  #failure: Error | undefined;
  #stopped = false;
  /** Whether the user knows that the connection is lost. */
  #troubled = false;
  #wasLive = false;

  constructor(context: CliContext, sink: EventSink, options: RunOptions) {
    this.#context = context;
    this.#sink = sink;
    this.#options = options;
  }

  /** @throws CliError when the broker refuses, cannot be reached at the start, or when the sink fails */
  async follow(channels: readonly string[], access: BrokerAccess, options: SubscribeOptions): Promise<void> {
    const { signal, stderr } = this.#context;
    const { subscriber } = access;
    const client = connect(access.url, {
      ...(subscriber !== undefined && {
        getToken: (reason) => {
          if (reason === 'refused')
            this.#stop(
              new CliError(`The token of ${subscriber.source} has expired, or the broker refuses it.`),
            );
          return subscriber.secret;
        },
      }),
      fetch: watchedFetch(access, {
        onRefused: (error) => this.#stop(error),
        onTrouble: (error) => this.#reportTrouble(error.message),
      }),
      onStatus: (status) => this.#reportStatus(status, channels),
      onClosing: (reason) => this.#reportTrouble(`The broker ends the stream (${reason}).`),
    });
    this.#client = client;
    const stop = (): void => this.#stop(undefined);
    signal.addEventListener('abort', stop);
    try {
      signal.throwIfAborted();
      await Promise.all(
        channels.map((channel) => this.#take(this.#open(client, channel, startOf(channel, options)))),
      );
      await this.#turn;
    } finally {
      signal.removeEventListener('abort', stop);
      client.close();
    }
    if (signal.aborted) await stderr.line(this.#summary(channels));
    else if (this.#failure !== undefined) throw this.#failure;
  }

  #open(client: SluiceClient, channel: string, start: Start): EventIteration {
    const events = iterate(client, channel, {
      ...start,
      // Else a channel without events would begin live after an interruption, and miss what came meanwhile.
      onReady: (position) => {
        if (events.position === position && !this.#waiting.has(channel))
          this.#positions.set(channel, position);
      },
      onGap: ({ after, before }) => {
        void this.#inTurn(async () => {
          const place = [after === null ? '' : ` after ${after}`, before === null ? '' : ` before ${before}`];
          await this.#notice(`Events of ${channel} may be missing${place.join('')}.`, 'yellow');
          if (this.#options.json) await this.#context.stdout.json({ channel, gap: true, after, before });
        });
      },
    });
    return events;
  }

  async #take(events: EventIteration): Promise<void> {
    try {
      for await (const { channel, id, event, data } of events) {
        if (this.#stopped) return;
        this.#waiting.add(channel);
        await this.#inTurn(async () => {
          if (this.#stopped) return;
          await this.#sink({ channel, id, ...(event !== 'message' && { event }), data });
          this.#positions.set(channel, id);
          this.#waiting.delete(channel);
          if (++this.#taken === this.#options.count) this.#stop(undefined);
        });
      }
      if (!this.#stopped) await this.#notice(`${events.channel} has ended.`);
    } catch (error) {
      // A SluiceError: the broker refuses the channel.
      this.#stop(new CliError((error as Error).message));
    }
  }

  /** Waits for the sink: events of several channels do not mix, and a slow reader holds all of them back. */
  #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch((error: unknown) => this.#stop(error as Error));
    return this.#turn;
  }

  #stop(failure: Error | undefined): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#failure = failure;
    this.#client?.close();
  }

  #reportStatus(status: Status, channels: readonly string[]): void {
    if (this.#stopped) return;
    if (status === 'connecting' && this.#wasLive) this.#reportTrouble('The connection is lost.');
    if (status === 'polling')
      void this.#notice('The stream does not get through, so events come by polling.');
    if (status !== 'live' && status !== 'polling') return;
    if (this.#troubled) void this.#notice('Connected again.');
    else if (!this.#wasLive && this.#context.stderr.isTerminal)
      void this.#notice(`Listening to ${channels.join(', ')}. Ctrl-C ends.`);
    this.#troubled = false;
    this.#wasLive = true;
  }

  /** Once for each loss of the connection. */
  #reportTrouble(what: string): void {
    if (this.#troubled || this.#stopped) return;
    this.#troubled = true;
    void this.#notice(`${what} Trying again.`, 'yellow');
  }

  #notice(text: string, style: 'dim' | 'yellow' = 'dim'): Promise<void> {
    const { stderr } = this.#context;
    return stderr.line(stderr.style(style, stderr.foreign(text)));
  }

  #summary(channels: readonly string[]): string {
    const places = [...this.#positions].map(([channel, id]) =>
      channels.length === 1 ? id : `${channel}@${id}`,
    );
    const next = places.length === 0 ? '' : ` Go on with --after ${places.join(',')}`;
    return `Interrupted after ${counted(this.#taken, 'event')}.${next}`;
  }
}

/** @throws CliError */
function channelName(text: string): string {
  try {
    return parseChannelName(text);
  } catch (error) {
    throw new CliError((error as Error).message, 2);
  }
}

/** Where a channel begins. */
function startOf(channel: string, { after, last, since, state }: SubscribeOptions): Start {
  if (after === undefined)
    return {
      ...(last !== undefined && { last }),
      ...(since !== undefined && { since }),
      ...(state === true && { state }),
    };
  if (!after.includes('@')) return { after };
  const place = after.split(',').find((one) => one.startsWith(`${channel}@`));
  return place === undefined ? {} : { after: place.slice(channel.length + 1) };
}
