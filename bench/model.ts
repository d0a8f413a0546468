import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { costsFrom } from './model/costs.ts';
import type { Costs } from './model/costs.ts';
import { relaysFor, simulateHotChannel, simulateRelayDeath } from './model/hot-channel.ts';
import type { ServerCost } from './model/hot-channel.ts';
import { simulatePlacement } from './model/placement.ts';
import { BANDWIDTH, PLANNED, WORKLOADS, comeBackCost, planFor } from './model/plan.ts';
import { simulateStorm } from './model/storm.ts';
import type { Outcome } from './outcome.ts';

/**
 * Computes from measured costs how many replicas and Redis servers a load needs, and checks the result by a simulation. Prints
 * the tables of docs/scaling.md, or writes them into that file.
 *
 * npm run model -- --json FILE (of npm run bench) --into docs/scaling.md
 */
const TOTALS = [1e6, 1e8];
const HOT_REPLICAS = [10, 100, 1_000, 5_000];
const HOT_RATES = [10, 100, 1_000];
/** Below this share of a core, one Redis is enough and the table shows no relays. */
const ENOUGH = 0.3;
/** CPU of Redis for an event that joins others in one write, for each connection, in µs: measured with 500 connections. */
const REDIS_JOINED = 0.5;
/** CPU of a Redis replica for an event that it relays, without sending it, in µs: measured with none and with 500 subscribers. */
const REDIS_RELAY = 29;
/** CPU of Redis for reading a tail and a page, and for each event in it, in µs. Estimated. */
const READ = { tail: 30, page: 80, event: 2 };
/** CPU for a subscriber that is asked to come later, as a share of greeting it. Estimated. */
const REFUSAL = 0.5;
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

/** What servers of the hot channel cost: the Redis that appends, a replica of it, and a Sluice that sends to others. */
function serverCosts(costs: Costs): Readonly<Record<'root' | 'redis' | 'sluice', ServerCost>> {
  const write = costs.redisReplica.value - REDIS_JOINED;
  const root = { event: costs.redisPublish.value, add: REDIS_JOINED, write, bytes: costs.redisCopy.value };
  const add = Math.min(costs.joined.value, costs.delivery.value);
  return {
    root,
    redis: { ...root, event: REDIS_RELAY },
    sluice: {
      event: costs.hear.value,
      add,
      write: costs.delivery.value - add,
      bytes: costs.redisCopy.value,
    },
  };
}

function hotChannel(costs: Costs): string {
  const { root, redis, sluice } = serverCosts(costs);
  const ways: readonly (readonly [string, ServerCost | undefined])[] = [
    ['one Redis', undefined],
    ['Redis replicas', redis],
    ['Sluice relays', sluice],
  ];
  const cases = HOT_REPLICAS.flatMap((replicas) => HOT_RATES.map((rate) => ({ replicas, rate })));
  const rows = cases.flatMap(({ replicas, rate }) => {
    const wide = (rate * replicas * costs.redisReplica.value) / 1e6 > ENOUGH;
    return ways.slice(0, wide ? ways.length : 1).map(([name, cost]) => {
      const relays =
        cost === undefined ? undefined : { count: relaysFor(replicas, rate, cost, PLANNED), cost };
      const events = Math.max(200, Math.min(1_000, rate * 2));
      const result = simulateHotChannel({ replicas, rate, root, relays, events, seed: 1 });
      // The random moments of the events make the share vary by some percent.
      const fits =
        Math.max(result.rootCpu, result.relayCpu) <= (PLANNED / 1e6) * 1.05 &&
        Math.max(result.rootSent, result.relaySent) <= BANDWIDTH;
      return [
        `${short(replicas)}, ${short(rate)}/s`,
        relays === undefined ? name : `${relays.count} ${name}`,
        `${short(result.p50)}, ${short(result.p99)} ms`,
        percent(result.rootCpu),
        relays === undefined ? '–' : percent(result.relayCpu),
        bandwidth(result.rootSent),
        relays === undefined ? '–' : bandwidth(result.relaySent),
        fits ? 'yes' : '**no**',
      ];
    });
  });
  const head = ['replicas, events', 'through', 'latency p50, p99', 'CPU of Redis', 'of a relay'];
  return table([...head, 'sent by Redis', 'by a relay', 'within the plan'], rows);
}

function relayDeaths(): string {
  const rows = [100, 500, 2_500].flatMap((orphans) =>
    (
      [
        [0, 5],
        [3_000, 2_000],
      ] as const
    ).flatMap((notice) =>
      [10, 100].map((rate) => {
        const free = 1 - PLANNED / 1e6;
        const result = simulateRelayDeath({ orphans, rate, notice, read: READ, free, seed: 1 });
        return [
          `${short(orphans)}, ${rate}/s`,
          notice[0] === 0 ? 'process' : 'machine',
          short(result.missed),
          short(result.reads),
          short(result.waiting),
          `${short(result.over)} s`,
        ];
      }),
    ),
  );
  return table(
    ['replicas on it, events', 'what dies', 'missed', 'reads', 'reads waiting at once', 'over after'],
    rows,
  );
}

/** A million subscribers on 25 replicas of 40,000 each. */
function storms(costs: Costs): string {
  const cost = comeBackCost(costs);
  const on = 40_000;
  const all = { lost: 1e6, replicas: 25, open: 0 };
  const half = { lost: 5e5, replicas: 13, open: on };
  const spare = { count: 12, after: 60_000 };
  const kinds = [
    ['every connection is lost', 0.6, Infinity, all],
    ['half of the replicas die', 0.6, Infinity, half],
    ['the same, planned 30 % busy', 0.3, Infinity, half],
    ['the same, 30 %, limit 60,000, 12 new replicas after 60 s', 0.3, 60_000, { ...half, spare }],
    ['the same, 60 %, limit 60,000, 12 new replicas after 60 s', 0.6, 60_000, { ...half, spare }],
  ] as const;
  const rows = kinds.flatMap(([name, busy, limit, who]) =>
    [2_000, 30_000].map((retry) => {
      const load = busy / on;
      const result = simulateStorm({ ...who, cost, refusal: cost * REFUSAL, load, limit, retry, seed: 1 });
      return [
        name,
        `${retry / 1_000} s`,
        short(result.perSecond),
        short(result.half),
        short(result.most),
        short(result.over),
        short(result.longestWait),
        short(result.repeated),
        short(result.refused),
      ];
    }),
  );
  const head = ['what happens', 'SLUICE_RETRY', 'opened/s at most', 'half back, s', '99 %', 'all'];
  return table([...head, 'longest wait, s', 'gave up', 'asked to come later'], rows);
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
  ['### A relay dies', relayDeaths()],
  ['### A storm of a million', storms(costs)],
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
