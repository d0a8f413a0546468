import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { costsFrom } from './model/costs.ts';
import type { Costs } from './model/costs.ts';
import { simulatePlacement } from './model/placement.ts';
import { PLANNED, WORKLOADS, comeBackCost, hotChannelRate, planFor } from './model/plan.ts';
import { simulateStorm } from './model/storm.ts';
import type { Outcome } from './outcome.ts';

/**
 * Computes from measured costs how many replicas and Redis servers a load needs, and checks the result by a simulation. Prints
 * the tables of docs/scaling.md, or writes them into that file.
 *
 * npm run model -- --json FILE (of npm run bench) --into docs/scaling.md
 */
const TOTALS = [1e6, 1e8];
const HOT_CHANNEL = [1, 10, 100, 1_000, 5_000];
const BEGIN = '<!-- npm run model: begin -->';
const END = '<!-- npm run model: end -->';

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** Rounds to three digits, and writes large numbers with a word. */
function short(value: number): string {
  if (!Number.isFinite(value)) return 'never';
  const rounded = Number(value.toPrecision(3));
  if (rounded >= 1e9) return `${rounded / 1e9} G`;
  if (rounded >= 1e6) return `${rounded / 1e6} M`;
  return rounded.toLocaleString('en-US', { maximumSignificantDigits: 3 });
}

function bandwidth(bytes: number): string {
  if (bytes >= 1e9) return `${short(bytes / 1e9)} GB/s`;
  return bytes >= 1e6 ? `${short(bytes / 1e6)} MB/s` : `${short(bytes / 1e3)} kB/s`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function measured(costs: Costs): string {
  const rows = Object.values(costs).map(({ about, value, unit, origin }) => [
    about,
    `${short(value)} ${unit}`,
    origin,
  ]);
  return table(['what it costs', 'measured', 'by'], rows);
}

function plans(costs: Costs): string {
  const rows = TOTALS.flatMap((total) =>
    WORKLOADS.map((workload) => {
      const plan = planFor(costs, workload, total);
      return [
        `${short(total)}, ${workload.name}`,
        short(plan.perReplica),
        plan.limit,
        short(plan.replicas),
        short(plan.deliveries),
        short(plan.publishes),
        short(plan.hearing),
        plan.possible ? short(plan.shards) : `**${short(plan.shards)}**`,
        plan.shardLimit,
        bandwidth(plan.sent),
        short(plan.connectionsPerShard),
      ];
    }),
  );
  const head = ['connections', 'on a replica', 'limited by', 'replicas', 'deliveries/s', 'publishes/s'];
  return table(
    [...head, 'replicas that hear an event', 'Redis', 'limited by', 'sent by Redis', 'connections to each'],
    rows,
  );
}

function hotChannel(costs: Costs): string {
  const rows = HOT_CHANNEL.map((replicas) => {
    const { rate, limit } = hotChannelRate(costs, replicas);
    return [short(replicas), short(rate), limit];
  });
  return table(['replicas that hear the channel', 'events/s on it', 'limited by'], rows);
}

function storms(costs: Costs): string {
  const cost = comeBackCost(costs);
  const rows: string[][] = [];
  for (const connections of [10_000, 50_000, 100_000, 200_000]) {
    for (const [name, arrivals] of [
      ['one of 10 replicas is lost', connections / 9],
      ['every connection is lost', connections],
    ] as const) {
      for (const retry of [2_000, 30_000]) {
        // Simulates several random replicas and takes the worst.
        const results = Array.from({ length: 5 }, (_, seed) =>
          simulateStorm({
            arrivals: Math.round(arrivals),
            cost,
            free: 1 - PLANNED / 1e6,
            retry,
            seed: seed + 1,
          }),
        );
        rows.push([
          `${short(connections)}; ${name}`,
          `${retry / 1_000} s`,
          short(Math.round(arrivals)),
          short(Math.max(...results.map(({ over }) => over))),
          short(Math.max(...results.map(({ longestWait }) => longestWait))),
          short(Math.max(...results.map(({ repeated }) => repeated))),
        ]);
      }
    }
  }
  return table(
    [
      'connections on a replica; what happens',
      'SLUICE_RETRY',
      'come to a replica',
      'over after, s',
      'longest wait, s',
      'came again',
    ],
    rows,
  );
}

function checks(costs: Costs): string {
  const rows = WORKLOADS.map((workload, index) => {
    const plan = planFor(costs, workload, 1e6);
    const placed = simulatePlacement(costs, workload, plan, index + 1);
    return [
      workload.name,
      short(plan.hearing),
      short(placed.hearing),
      percent(placed.mean),
      percent(placed.busiest),
    ];
  });
  return table(
    [
      '1 M connections',
      'replicas that hear an event, planned',
      'simulated',
      'CPU of the mean replica',
      'of the busiest',
    ],
    rows,
  );
}

const { values } = parseArgs({ options: { json: { type: 'string' }, into: { type: 'string' } } });
const outcomes =
  values.json === undefined
    ? []
    : (JSON.parse(readFileSync(values.json, 'utf8')) as { readonly outcomes: Outcome[] }).outcomes;
const costs = costsFrom(outcomes);
const kinds = WORKLOADS.map(({ name, about }) => `- **${name}**: ${about}`).join('\n');
const text = [
  ['### What was measured', measured(costs)],
  ['### The plan', kinds, plans(costs)],
  ['### One hot channel', hotChannel(costs)],
  ['### A storm', storms(costs)],
  ['### The plan against chance', checks(costs)],
]
  .map((section) => section.join('\n\n'))
  .join('\n\n');

if (values.into === undefined) {
  process.stdout.write(`${text}\n`);
} else {
  const document = readFileSync(values.into, 'utf8');
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${values.into} has no ${BEGIN} and ${END}.`);
  writeFileSync(
    values.into,
    `${document.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${document.slice(end)}`,
  );
}
