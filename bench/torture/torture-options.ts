import { parseArgs } from 'node:util';
import { UsageError } from '../options.ts';
import { givenSystem } from './given-system.ts';
import type { GivenNode } from './given-system.ts';
import { peerSystems } from './peer-systems.ts';
import type { TortureLoad } from './run-torture.ts';
import { TORTURE_SCENARIOS } from './scenarios.ts';
import type { TortureScenario } from './scenarios.ts';
import type { SystemSource } from './system.ts';

export interface TortureOptions {
  readonly sources: readonly SystemSource[];
  readonly scenarios: readonly TortureScenario[];
  readonly load: TortureLoad;
  readonly json: string | undefined;
}

/** Bounds the memory of a run: events times readers. */
const MAX_DELIVERIES = 5_000_000;
const DEFAULT_BODY = '{"channel":"{channel}","data":"{data}"}';
const SYSTEM_NAMES = peerSystems({ mercure: undefined, mercure1: undefined, centrifugo: undefined }).map(
  ({ name }) => name,
);

export const TORTURE_USAGE = `usage: npm run torture -- --url URL --publish URL [options]
       npm run torture -- --system LIST [options]

Publishes numbered events to a server of Server-Sent Events, causes faults, and compares what readers got with what was
acknowledged. A reader behaves as a browser's EventSource.

A server that runs already:
  --url URL             the address of a stream, with {channel}; once for each node
  --publish URL         the address to POST events to; once for each node. {channel} is replaced
  --publish-body TEXT   with {channel}, {data} and {key}; the default is ${DEFAULT_BODY}
  --publish-header LINE such as 'Authorization: Bearer …' or 'Idempotency-Key: {key}'; may be given more than once
  --subscribe-header LINE  a header of every reader; may be given more than once
  --gap-event TYPE      an event type by which the server says that events are missing; may be given more than once
  --end-event TYPE      an event type after which a page does not come back; may be given more than once
  --resume HOW          header (Last-Event-ID, the default), none, or the name of a query parameter for the last id
  --kill-cmd COMMAND    a shell command that kills a node at once; once for each node
  --stop-cmd COMMAND    a shell command that sends a node SIGTERM; once for each node
  --start-cmd COMMAND   a shell command that starts a node again; once for each node

A system that the torture starts:
  --system LIST         of ${SYSTEM_NAMES.join(', ')}
  --mercure PATH        the program of the Mercure hub 0.2x
  --mercure-1 PATH      the program of the Mercure hub 1.0
  --centrifugo PATH     the program of Centrifugo

What happens:
  --scenario LIST       all by default:
${TORTURE_SCENARIOS.map(({ name, about }) => `                          ${name.padEnd(10)} ${about}`).join('\n')}
  --seconds N           how long the faults of a scenario last; 15 by default
  --readers N           8 by default
  --rate N              events per second; 50 by default
  --patience N          how many seconds to wait for the last events; 20 by default
  --retry N             how many seconds a reader waits before it reconnects, as long as the server does not say it by
                        retry; 3 by default, as in Chromium
  --stubborn            readers come back after an answer other than 200, too
  --json FILE           writes the figures of each reader

Ends with 1 when an event is missing in silence, came twice or out of order, or when a scenario failed; with 2 when the
arguments are wrong.
`;

/** @throws UsageError */
export function readTortureOptions(args: readonly string[]): TortureOptions | 'help' {
  const values = parse(args);
  if (values.help === true) return 'help';
  const load = {
    seconds: bounded('seconds', values.seconds, 0.5, 600),
    readers: Math.round(bounded('readers', values.readers, 1, 500)),
    rate: bounded('rate', values.rate, 1, 2_000),
    patienceMs: bounded('patience', values.patience, 0, 600) * 1_000,
    retryMs: bounded('retry', values.retry, 0, 60) * 1_000,
    stubborn: values.stubborn === true,
  };
  if (load.seconds * load.readers * load.rate > MAX_DELIVERIES)
    throw new UsageError(
      `--seconds, --readers and --rate together give more than ${MAX_DELIVERIES} deliveries.`,
    );
  const scenarios = named(
    'scenario',
    values.scenario ?? TORTURE_SCENARIOS.map(({ name }) => name).join(','),
    TORTURE_SCENARIOS,
  );
  if ((values.url === undefined) === (values.system === undefined))
    throw new UsageError('Give either --url and --publish, or --system.');
  const programs = {
    mercure: values.mercure,
    mercure1: values['mercure-1'],
    centrifugo: values.centrifugo,
  };
  const sources =
    values.system === undefined
      ? [givenSource(values)]
      : named('system', values.system, peerSystems(programs));
  return { sources, scenarios, load, json: values.json };
}

type Values = ReturnType<typeof parse>;

function parse(args: readonly string[]) {
  const many = { type: 'string', multiple: true } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        url: many,
        publish: many,
        'publish-body': { type: 'string', default: DEFAULT_BODY },
        'publish-header': many,
        'subscribe-header': many,
        'gap-event': many,
        'end-event': many,
        resume: { type: 'string', default: 'header' },
        'kill-cmd': many,
        'stop-cmd': many,
        'start-cmd': many,
        system: { type: 'string' },
        mercure: { type: 'string' },
        'mercure-1': { type: 'string' },
        centrifugo: { type: 'string' },
        scenario: { type: 'string' },
        seconds: { type: 'string', default: '15' },
        readers: { type: 'string', default: '8' },
        rate: { type: 'string', default: '50' },
        patience: { type: 'string', default: '20' },
        retry: { type: 'string', default: '3' },
        stubborn: { type: 'boolean' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function givenSource(values: Values): SystemSource {
  const urls = values.url ?? [];
  const publishUrls = values.publish ?? [];
  if (publishUrls.length !== urls.length)
    throw new UsageError(
      `Give one --publish for each --url: there are ${publishUrls.length} and ${urls.length}.`,
    );
  for (const [option, given] of [
    ['--url', urls],
    ['--publish', publishUrls],
  ] as const)
    for (const text of given)
      if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ''))
        throw new UsageError(`${option} needs an http or https URL, not "${text}".`);
  if (urls.some((url) => !url.includes('{channel}')))
    throw new UsageError('--url needs {channel}, where the name of the channel goes.');
  if (!`${values['publish-body']} ${publishUrls.join(' ')}`.includes('{data}'))
    throw new UsageError('--publish-body needs {data}, where the data of the event goes.');
  if (new Set(urls.map(pathOf)).size > 1) throw new UsageError('All --url need the same path.');
  for (const option of ['kill-cmd', 'stop-cmd', 'start-cmd'] as const)
    if ((values[option]?.length ?? 0) > urls.length)
      throw new UsageError(`There are more --${option} than --url.`);
  const nodes = urls.map((subscribeUrl, index): GivenNode => ({
    subscribeUrl,
    publishUrl: publishUrls[index] ?? '',
    commands: {
      kill: values['kill-cmd']?.[index],
      stop: values['stop-cmd']?.[index],
      start: values['start-cmd']?.[index],
    },
  }));
  return givenSystem(nodes as [GivenNode, ...GivenNode[]], {
    subscribeHeaders: headers('subscribe-header', values['subscribe-header']),
    publishHeaders: {
      'content-type': 'application/json',
      ...headers('publish-header', values['publish-header']),
    },
    publishBody: values['publish-body'],
    resume: values.resume,
    gapEvents: values['gap-event'] ?? [],
    endEvents: values['end-event'] ?? [],
  });
}

/** Path and query. */
function pathOf(url: string): string {
  return url.slice(new URL(url).origin.length);
}

function headers(option: string, lines: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, value] = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError(`--${option} needs "Name: value", not "${line}".`);
      return [name.toLowerCase(), value];
    }),
  );
}

function named<T extends { readonly name: string }>(option: string, list: string, known: readonly T[]): T[] {
  const names = new Set(list.split(',').map((name) => name.trim()));
  for (const name of names)
    if (!known.some((one) => one.name === name))
      throw new UsageError(
        `--${option} does not know "${name}". Use one of ${known.map((one) => one.name).join(', ')}.`,
      );
  return known.filter(({ name }) => names.has(name));
}

function bounded(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most)
    throw new UsageError(`--${option} needs a number from ${least} to ${most}, not "${text}".`);
  return value;
}
