import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchTables, linesTable } from './figure-tables.ts';
import type { Machine } from './measure/machine.ts';
import type { Outcome } from './outcome.ts';

/**
 * Makes the tables of docs/performance.md of what was measured, and prints them, or writes them into the document.
 *
 * npm exec -c 'node bench/tables.ts --json FILE --lines FILE --into docs/performance.md'
 *
 * `--json` is a file of `npm run bench` and may be given more than once: of what was measured twice, the later file counts.
 * `--lines` has the lines of JSON of the C load generator. In the document a table NAME stands between
 * `<!-- figures NAME: begin -->` and `<!-- figures NAME: end -->`. Names are `sluice`, `lines`, and those of the logs.
 */
interface Measured {
  readonly machine: Machine;
  readonly outcomes: readonly Outcome[];
}

const TITLES: Readonly<Record<string, string>> = {
  sluice: 'Sluice with each log',
  memory: 'Events in memory',
  disk: 'Events on disk',
  redis: 'Over Redis',
  redis2: 'Over Redis, two nodes',
};

const { values } = parseArgs({
  options: {
    json: { type: 'string', multiple: true },
    lines: { type: 'string' },
    into: { type: 'string' },
  },
});

const outcomes = new Map<string, Outcome>();
let origin = '';
for (const file of values.json ?? []) {
  const measured = JSON.parse(readFileSync(file, 'utf8')) as Measured;
  const { at, cores, processor, node } = measured.machine;
  const runs = Math.max(...measured.outcomes.map((outcome) => outcome.runs.length));
  origin = `${runs === 1 ? 'One run' : `Medians of ${runs} runs in turns`} on ${cores} cores (${processor}) over loopback, Node ${node}, ${at.slice(0, 10)}.`;
  for (const outcome of measured.outcomes)
    outcomes.set(`${outcome.scenario} ${outcome.system} ${outcome.log}`, outcome);
}

const tables: Record<string, string> = {};
if (outcomes.size > 0)
  for (const [name, table] of Object.entries(benchTables([...outcomes.values()])))
    tables[name] = `**${TITLES[name] ?? name}.** ${origin}\n\n${table}`;
if (values.lines !== undefined) tables['lines'] = linesTable(readFileSync(values.lines, 'utf8'));

if (values.into === undefined) {
  for (const [name, table] of Object.entries(tables)) process.stdout.write(`${name}\n\n${table}\n\n`);
} else {
  let document = readFileSync(values.into, 'utf8');
  for (const [name, table] of Object.entries(tables)) {
    const [begin, end] = [`<!-- figures ${name}: begin -->`, `<!-- figures ${name}: end -->`];
    const from = document.indexOf(begin);
    const to = document.indexOf(end);
    if (from < 0 || to < from) {
      process.stderr.write(`${values.into} has no place for ${name}: ${begin} and ${end}\n`);
      continue;
    }
    document = `${document.slice(0, from + begin.length)}\n\n${table}\n\n${document.slice(to)}`;
  }
  writeFileSync(values.into, document);
}
