import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { thisMachine } from './measure/machine.ts';
import { runWithOptions } from './options.ts';
import { runTorture } from './torture/run-torture.ts';
import type { TortureOutcome } from './torture/run-torture.ts';
import { TORTURE_USAGE, readTortureOptions } from './torture/torture-options.ts';
import type { TortureOptions } from './torture/torture-options.ts';
import { figuresTable, isBroken, summaryTable } from './torture/torture-report.ts';

const interrupted = new AbortController();

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Progress is for people who watch. */
function progress(line: string): void {
  if (process.stderr.isTTY) say(line);
}

async function main({ sources, scenarios, load, json }: TortureOptions): Promise<void> {
  // Checks this before the scenarios, which take minutes.
  if (json !== undefined) await mkdir(dirname(json), { recursive: true });
  const outcomes: TortureOutcome[] = [];
  const { signal } = interrupted;
  for (const source of sources) {
    const missing = source.missing();
    if (missing !== undefined) {
      say(`${source.name} is left out: ${missing}`);
      continue;
    }
    for (const scenario of scenarios) {
      if (signal.aborted) break;
      progress(`${source.name}, ${scenario.name}: ${scenario.about}`);
      const hooks = { signal, say: (line: string) => progress(`  ${line}`) };
      outcomes.push(await runTorture(source, scenario, load, hooks));
    }
  }
  process.stdout.write(figuresTable(outcomes));
  if (new Set(outcomes.map(({ system }) => system)).size > 1)
    process.stdout.write(`\n${summaryTable(outcomes)}`);
  if (json !== undefined) {
    const systems = sources.map(({ name, settings, promise }) => ({ name, settings, promise }));
    await writeFile(
      json,
      `${JSON.stringify({ machine: thisMachine(), load, systems, outcomes }, undefined, 2)}\n`,
    );
  }
  if (signal.aborted) process.exitCode = 130;
  else process.exitCode = outcomes.length === 0 || outcomes.some(isBroken) ? 1 : 0;
}

// The first Ctrl-C ends the scenario and prints what there is. The second ends at once. All child processes end with
// this process, however it ends (see afterExit).
for (const event of ['SIGINT', 'SIGTERM'] as const)
  process.on(event, () => {
    if (interrupted.signal.aborted) process.exit(130);
    interrupted.abort();
  });
// Keeps the process alive while it waits for child processes to end.
const alive = setInterval(() => undefined, 60_000);
try {
  await runWithOptions(readTortureOptions, TORTURE_USAGE, main);
} finally {
  clearInterval(alive);
}
