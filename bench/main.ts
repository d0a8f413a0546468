import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterExit } from '../test/support/after-exit.ts';
import { findProgram } from '../test/support/find-program.ts';
import { startLocalRedis } from '../test/support/local-redis.ts';
import { drawChart } from './chart.ts';
import { medianFigures } from './figures.ts';
import type { Figures } from './figures.ts';
import { Crew } from './load/crew.ts';
import { thisMachine } from './measure/machine.ts';
import { openFileLimit } from './measure/open-file-limit.ts';
import { isInMemory, syncLatency } from './measure/sync-latency.ts';
import { USAGE, readOptions, runWithOptions } from './options.ts';
import type { Options } from './options.ts';
import { isBreach, outcomeTable } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { usesRedis } from './peers/peer.ts';
import type { LogKind, Peer } from './peers/peer.ts';
import { runScenario } from './run-scenario.ts';
import { missingFor } from './scenario.ts';
import type { Scenario } from './scenario.ts';

/** A run that takes longer has failed. */
const RUN_LIMIT_MS = 240_000;

/** A system with the log that it runs on. */
interface Entry {
  readonly peer: Peer;
  readonly log: LogKind;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Selects the systems that can run here. Prints what is missing for each of the others. */
function entriesOf({ peers, logs }: Options): Entry[] {
  const entries: Entry[] = [];
  const redisMissing =
    findProgram('redis-server') === undefined
      ? 'needs redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis)'
      : undefined;
  for (const peer of peers) {
    const missing = peer.missing();
    if (missing !== undefined) {
      say(`${peer.name} is left out: ${missing}`);
      continue;
    }
    for (const log of logs) {
      if (!peer.logs.includes(log)) continue;
      if (usesRedis(log) && redisMissing !== undefined)
        say(`${peer.name} with ${log} is left out: ${redisMissing}`);
      else entries.push({ peer, log });
    }
  }
  return entries;
}

/** Cuts the scenario to the limit of open files. The servers inherit the limit of this process. */
function cut(scenario: Scenario, log: LogKind, loaders: number): Scenario {
  const connections = Math.min(
    scenario.connections,
    openFileLimit() * loaders,
    openFileLimit() * (log === 'redis2' ? 2 : 1),
  );
  if (connections === scenario.connections) return scenario;
  say(
    `${scenario.name} is cut to ${connections} connections with ${log}: raise the limit of open files (ulimit -n)`,
  );
  return { ...scenario, connections };
}

/** Makes one run, on servers that are started for it and stopped after it. */
async function runOnce(
  { peer, log }: Entry,
  scenario: Scenario,
  { data, loaders }: Options,
): Promise<Figures> {
  const folder = await mkdtemp(join(data, 'sluice-bench-'));
  const callOff = afterExit('rm -rf "$1"', folder);
  const undo: (() => Promise<void> | void)[] = [];
  const tooLong = Promise.withResolvers<never>();
  // This timer also keeps the process alive while it waits for its child processes to end.
  const limit = setTimeout(
    () => tooLong.reject(new Error(`not over after ${RUN_LIMIT_MS / 1_000} s`)),
    RUN_LIMIT_MS,
  );
  try {
    const redis = usesRedis(log) ? await startLocalRedis() : undefined;
    undo.push(async () => await redis?.stop());
    // Before the system starts, so that the two do not share the disk.
    const sync = log === 'disk' ? await syncLatency(folder) : undefined;
    const running = await peer.start({
      log,
      redisPort: redis?.port,
      folder,
      resumable: scenario.storm,
      compress: scenario.compress === true,
    });
    undo.push(async () => {
      await Promise.all(running.servers.map((server) => server.stop()));
    });
    const crew = new Crew(loaders);
    undo.push(() => crew.stop());
    const stage = { peer: running, crew, redis, say: (line: string) => say(`  ${line}`) };
    const figures = await Promise.race([runScenario(scenario, stage), tooLong.promise]);
    return sync === undefined ? figures : { ...figures, syncP50: sync.percentile(0.5) / 1_000 };
  } finally {
    for (const step of undo.toReversed()) await step();
    await rm(folder, { recursive: true, force: true });
    callOff();
    clearTimeout(limit);
  }
}

/** Makes all runs of one scenario. The systems take turns, so that a noisy minute affects all of them. */
async function runInTurns(
  scenario: Scenario,
  entries: readonly Entry[],
  options: Options,
): Promise<Outcome[]> {
  const runs = entries.map((): Figures[] => []);
  const scenarios = entries.map(({ log }) => cut(scenario, log, options.loaders));
  for (let run = 1; run <= options.runs; run++) {
    for (const [index, entry] of entries.entries()) {
      const name = `${entry.peer.name} (${entry.log})`;
      say(`${scenario.name}, ${name}, run ${run} of ${options.runs}`);
      try {
        runs[index]?.push(await runOnce(entry, scenarios[index] ?? scenario, options));
      } catch (error) {
        say(`  failed: ${(error as Error).message}`);
        runs[index]?.push({ errors: 1 });
      }
    }
  }
  return entries.map(({ peer, log }, index) => {
    const connections = scenarios[index]?.connections ?? scenario.connections;
    return {
      scenario: scenario.name,
      system: peer.name,
      log,
      ...(connections < scenario.connections && { cutTo: connections }),
      figures: medianFigures(runs[index] ?? []),
      runs: runs[index] ?? [],
    };
  });
}

async function main(options: Options): Promise<void> {
  // Checks this before the runs, which take minutes.
  for (const file of [options.json, options.chart])
    if (file !== undefined) await mkdir(dirname(file), { recursive: true });
  if (options.logs.includes('disk') && (await isInMemory(options.data)))
    say(`${options.data} is in memory, so a sync costs nothing there: give --data DIR for figures of a disk`);
  const entries = entriesOf(options);
  const outcomes: Outcome[] = [];
  for (const scenario of options.scenarios) {
    const able = entries.filter(({ peer }) => missingFor(scenario, peer) === undefined);
    for (const { peer } of entries.filter((entry) => !able.includes(entry)))
      say(`${peer.name} is left out of ${scenario.name}: ${missingFor(scenario, peer)}`);
    const results = await runInTurns(scenario, able, options);
    outcomes.push(...results);
    if (results.length > 0) process.stdout.write(`${outcomeTable(scenario, results)}\n`);
  }
  const machine = { ...thisMachine(), loaders: options.loaders };
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ machine, outcomes }, undefined, 2)}\n`);
  if (options.chart !== undefined)
    await writeFile(
      options.chart,
      drawChart(options.scenarios, outcomes, machine, options.chart.endsWith('.html')),
    );
  const broken = outcomes.filter(isBreach);
  for (const { scenario, system, log } of broken)
    say(`BROKEN: ${system} (${log}) in ${scenario}: see lost, duplicates, disorder, gaps and errors`);
  process.exitCode = broken.length > 0 || outcomes.length === 0 ? 1 : 0;
}

// All child processes end with this process, however it ends (see afterExit).
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
await runWithOptions(readOptions, USAGE, main);
