import { availableParallelism, tmpdir } from 'node:os';
import { basename, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { betterSsePeer } from './peers/better-sse-peer.ts';
import { centrifugoPeer } from './peers/centrifugo-peer.ts';
import { mercurePeer } from './peers/mercure-peer.ts';
import { nchanPeer } from './peers/nchan-peer.ts';
import { LOG_KINDS } from './peers/peer.ts';
import type { LogKind, Peer } from './peers/peer.ts';
import { sluicePeer } from './peers/sluice-peer.ts';
import { scaled } from './scenario.ts';
import type { Scenario } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

export interface Options {
  readonly scenarios: readonly Scenario[];
  readonly peers: readonly Peer[];
  readonly logs: readonly LogKind[];
  readonly runs: number;
  /** How many processes of subscribers run. */
  readonly loaders: number;
  /** The folder in which logs on disk are kept during a run. */
  readonly data: string;
  readonly json: string | undefined;
  readonly chart: string | undefined;
}

/** An error in the arguments. The message is for the person who typed them. */
export class UsageError extends Error {}

/** Runs a program with its arguments: prints the usage when it is asked for, or with what is wrong in the arguments. */
export async function runWithOptions<T extends object>(
  read: (args: readonly string[]) => T | 'help',
  usage: string,
  main: (options: T) => Promise<void>,
): Promise<void> {
  try {
    const options = read(process.argv.slice(2));
    if (options === 'help') process.stdout.write(usage);
    else await main(options);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    process.exitCode = 2;
  }
}

const ROOT = resolve(import.meta.dirname, '..');

export const USAGE = `usage: npm run bench -- [options]

  --scenarios LIST     of ${SCENARIOS.map(({ name }) => name).join(', ')}; all by default
  --systems LIST       of sluice, nchan, mercure, mercure-1, mercure-local, centrifugo, better-sse; sluice by default
  --log LIST           of ${LOG_KINDS.join(', ')} (two brokers on one Redis); all by default
  --runs N             runs of each, in turns; the table has the medians; 1 by default
  --scale F            so many times the connections (and, below 1, the events); 1 by default
  --loaders N          processes of subscribers; one less than there are cores, at most 4, by default
  --data DIR           where logs on disk are kept during a run; the system's folder for temporary files by default
  --project DIR        another checkout of Sluice to run beside this one; may be given more than once
  --mercure PATH       the program of the Mercure hub 0.2x
  --mercure-1 PATH     the program of the Mercure hub 1.0
  --centrifugo PATH    the program of Centrifugo
  --better-sse DIR     the folder in which better-sse has been installed
  --json FILE          writes everything that was measured
  --chart FILE         draws it: .svg or .html

Ends with 1 when Sluice lost, repeated or reordered an event, told of a gap, or refused something.
`;

/** @throws UsageError */
export function readOptions(args: readonly string[]): Options | 'help' {
  const values = parse(args);
  if (values.help === true) return 'help';
  const scale = positive('scale', values.scale);
  const projects = (values.project ?? []).map((folder) => resolve(folder));
  const known: readonly Peer[] = [
    sluicePeer('sluice', ROOT),
    ...projects.map((folder) => sluicePeer(`sluice:${basename(folder)}`, folder)),
    nchanPeer,
    mercurePeer(values.mercure),
    mercurePeer(values.mercure, { local: true }),
    mercurePeer(values['mercure-1'], { version: '1' }),
    centrifugoPeer(values.centrifugo),
    betterSsePeer(values['better-sse']),
  ];
  const systems = listed(
    'systems',
    values.systems,
    known.map(({ name }) => name.split(':', 1).join('')),
  );
  return {
    scenarios: listed(
      'scenarios',
      values.scenarios,
      SCENARIOS.map(({ name }) => name),
    ).flatMap((name) => SCENARIOS.filter((one) => one.name === name).map((one) => scaled(one, scale))),
    peers: systems.flatMap((system) =>
      known.filter(({ name }) => name === system || name.startsWith(`${system}:`)),
    ),
    logs: listed('log', values.log, LOG_KINDS),
    runs: Math.round(positive('runs', values.runs)),
    loaders: Math.round(positive('loaders', values.loaders)),
    data: resolve(values.data),
    json: values.json,
    chart: values.chart,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        scenarios: { type: 'string', default: SCENARIOS.map(({ name }) => name).join(',') },
        systems: { type: 'string', default: 'sluice' },
        log: { type: 'string', default: LOG_KINDS.join(',') },
        runs: { type: 'string', default: '1' },
        scale: { type: 'string', default: '1' },
        loaders: { type: 'string', default: String(Math.max(1, Math.min(4, availableParallelism() - 1))) },
        project: { type: 'string', multiple: true },
        mercure: { type: 'string' },
        'mercure-1': { type: 'string' },
        centrifugo: { type: 'string' },
        'better-sse': { type: 'string' },
        data: { type: 'string', default: tmpdir() },
        json: { type: 'string' },
        chart: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function listed<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const unknown = names.find((name) => !(known as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new UsageError(
      `--${option} does not know "${unknown}". Use one of ${[...new Set(known)].join(', ')}.`,
    );
  if (names.length === 0) throw new UsageError(`--${option} needs a value.`);
  return [...new Set(names)] as T[];
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || value > 1_000)
    throw new UsageError(`--${option} needs a number above 0, not "${text}".`);
  return value;
}
