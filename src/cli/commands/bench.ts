import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { fieldsOf, textIn } from '../answer-fields.ts';
import { LEAST_EVENT_SIZE } from '../bench-subscriber.ts';
import { BenchRun } from '../bench-run.ts';
import type { BenchResult } from '../bench-run.ts';
import { BrokerApi, apiPath } from '../broker-api.ts';
import { brokerAccess, withAccessOptions } from '../broker-access.ts';
import type { AccessOptions } from '../broker-access.ts';
import { RefusedError } from '../broker-errors.ts';
import { CliError } from '../cli-error.ts';
import type { CliContext } from '../context.ts';
import { wholeNumber } from '../option-values.ts';
import { examples } from '../program.ts';
import { counted } from '../readable-values.ts';

const MAX_SUBSCRIBERS = 10_000;
const MAX_PUBLISHERS = 100;
const MAX_SECONDS = 60;
const MAX_RATE = 100_000;
const MAX_SIZE = 65_536;
/** The token for the subscribers outlives the bench: opening them takes time, too. In seconds. */
const TOKEN_TTL = 600;
/** For deleting the channel at the end. */
const CLEAN_UP_MS = 2_000;
/** Above this share the bench itself may have been the limit. */
const BUSY = 0.9;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

interface BenchOptions extends AccessOptions {
  readonly subscribers: number;
  readonly publishers: number;
  readonly seconds: number;
  readonly rate?: number;
  readonly size: number;
  readonly json?: boolean;
}

/** `sluice bench`: a quick measure of a running broker. */
export function benchCommand(context: CliContext): Command {
  const command = new Command('bench')
    .summary('measure a running broker')
    .description(
      'Opens subscribers on a new channel, publishes to it, and reports the pace, the latency, and whether every event came once and in order. The channel is deleted at the end. The bench is one process and shares its machine with whatever else runs there, so its numbers are a first impression. The exit code is 1 when an event was missing, came twice or out of order, and when a stream ended.',
    )
    .argument('[url]', 'the broker; the same as --url')
    .option('--subscribers <n>', 'how many subscribers', wholeNumber(1, MAX_SUBSCRIBERS), 100)
    .option('--publishers <n>', 'how many publish at the same time', wholeNumber(1, MAX_PUBLISHERS), 4)
    .option('--seconds <s>', 'how long to publish', wholeNumber(1, MAX_SECONDS), 5)
    .option('--rate <n>', 'publishes in a second; as fast as possible without it', wholeNumber(1, MAX_RATE))
    .option('--size <bytes>', 'bytes of each event', wholeNumber(LEAST_EVENT_SIZE, MAX_SIZE), 100)
    .option('--json', 'print the result as one JSON object')
    .action((url: string | undefined, options: BenchOptions) => bench(url, options, context));
  withAccessOptions(command, 'publisher');
  return examples(command, context, [
    ['the broker on this machine', 'sluice bench'],
    ['the latency at a pace that the broker sustains', 'sluice bench --rate 100 --subscribers 1000'],
    ['another broker', 'SLUICE_KEY=… sluice bench https://events.example'],
  ]);
}

async function bench(url: string | undefined, options: BenchOptions, context: CliContext): Promise<void> {
  const { stderr, signal } = context;
  const { subscribers, publishers, seconds, rate, size, json = false, ...access } = options;
  const broker = brokerAccess({ ...access, ...(url !== undefined && { url }) }, context);
  if (!LOOPBACK.test(new URL(broker.url).hostname))
    await stderr.line(`This puts a load on ${broker.url}, and on the network between, for ${seconds} s.`);
  const api = new BrokerApi(broker, signal);
  const channel = `bench.${randomBytes(8).toString('hex')}`;
  const warmUp = { channel, data: 'begin' };
  await api.request({ method: 'POST', path: '/publish', json: warmUp, as: 'publisher' });
  try {
    const plan = {
      subscribers,
      publishers,
      seconds,
      rate,
      size,
      url: broker.url,
      channel,
      // The request above needs one.
      publishAs: broker.publisher?.secret ?? '',
      subscribeAs: broker.subscriber?.secret ?? (await tokenFor(channel, api)),
    };
    const result = await new BenchRun(plan, signal).run((phase) => {
      if (stderr.isTerminal) void stderr.line(stderr.style('dim', `${phase} …`));
    });
    if (signal.aborted) {
      await stderr.line(
        `${counted(result.published, 'event')} published, ${number(result.deliveries)} delivered to subscribers.`,
      );
      throw signal.reason as Error;
    }
    await report(result, { ...plan, json }, context);
  } finally {
    await cleanUp(api, channel);
  }
}

/** A token with which the subscribers may listen. Undefined when the broker makes none: the channel may be public. */
async function tokenFor(channel: string, api: BrokerApi): Promise<string | undefined> {
  try {
    const json = { subscribe: [channel], ttl: TOKEN_TTL };
    const answer = await api.json({ method: 'POST', path: '/tokens', json, as: 'publisher' });
    return textIn(fieldsOf(answer), 'token') || undefined;
  } catch (error) {
    // 501: the broker has no secret. 403: the publisher is a token, which may subscribe as well.
    if (!(error instanceof RefusedError)) throw error;
    return error.status === 403 ? api.access.publisher?.secret : undefined;
  }
}

async function cleanUp(api: BrokerApi, channel: string): Promise<void> {
  const signal = AbortSignal.timeout(CLEAN_UP_MS);
  const request = { method: 'DELETE', path: apiPath('channels', channel), as: 'publisher', signal } as const;
  // The broker forgets the channel by itself, later.
  await api.request(request).catch(() => undefined);
}

interface Reported {
  readonly channel: string;
  readonly url: string;
  readonly subscribers: number;
  readonly publishers: number;
  readonly seconds: number;
  readonly rate: number | undefined;
  readonly size: number;
  readonly json: boolean;
}

async function report(result: BenchResult, plan: Reported, { stdout, stderr }: CliContext): Promise<void> {
  const { url, subscribers, publishers, seconds, rate, size, json } = plan;
  const { published, publishesPerSecond, deliveries, deliveriesPerSecond, latencyMs, stoppedBy, busy } =
    result;
  const { missing, twice, outOfOrder, gaps, endedStreams } = result;
  if (json) await stdout.json({ url, subscribers, publishers, seconds, rate: rate ?? null, size, ...result });
  else {
    const faulty = missing + twice + outOfOrder + gaps > 0;
    const faults = `${number(missing)} missing, ${number(twice)} twice, ${number(outOfOrder)} out of order, ${counted(gaps, 'gap')}`;
    const latency =
      latencyMs === null
        ? 'nothing arrived'
        : `p50 ${milliseconds(latencyMs.p50)}, p99 ${milliseconds(latencyMs.p99)}, max ${milliseconds(latencyMs.max)}`;
    const lines: readonly (readonly [name: string, value: string])[] = [
      [
        'publishes',
        `${number(publishesPerSecond)}/s (${number(published)} by ${counted(publishers, 'publisher')})`,
      ],
      [
        'deliveries',
        `${number(deliveriesPerSecond)}/s (${number(deliveries)} to ${counted(subscribers, 'subscriber')})`,
      ],
      ['latency', latency],
      ['faults', stdout.style(faulty ? 'red' : 'green', faults)],
    ];
    for (const [name, value] of lines)
      await stdout.line(`${stdout.style('bold', name.padEnd(10))}  ${value}`);
  }
  if (busy > BUSY)
    await stderr.line(
      'This process was busy all the time: the broker may be faster than these numbers, and the latency lower. --rate sets a pace.',
    );
  if (stoppedBy !== null) throw new CliError(`Publishing stopped: ${stderr.foreign(stoppedBy)}.`);
  if (missing + twice + outOfOrder > 0)
    throw new CliError('Not every subscriber got every event once and in order.');
  if (endedStreams > 0)
    throw new CliError(
      `${counted(endedStreams, 'stream')} ended before the bench did. Events after that do not count as missing.`,
    );
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : Math.round(ms)} ms`;
}
