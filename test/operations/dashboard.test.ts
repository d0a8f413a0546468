import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { RULES_FILE, allRules } from '../support/alert-rules.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { startPrometheus } from '../support/prometheus-server.ts';
import type { Prometheus } from '../support/prometheus-server.ts';
import { openStream } from '../support/sse-reader.ts';

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly datasource?: unknown;
  readonly targets?: readonly { readonly expr: string; readonly datasource: unknown }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
}

const text = readFileSync(new URL('../../deploy/grafana/sluice-dashboard.json', import.meta.url), 'utf8');
const dashboard = JSON.parse(text) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  (targets ?? []).map(({ expr }) => ({ title, expr })),
);

let brokers: Broker[];
let prometheus: Prometheus;

beforeAll(async () => {
  brokers = await Promise.all([startBroker(), startBroker()]);
  prometheus = await startPrometheus({
    targets: brokers.map(({ port }) => `127.0.0.1:${port}`),
    rulesFile: RULES_FILE,
    interval: '250ms',
  });
  await Promise.all(brokers.map(keepBusy));
});
afterAll(async () => {
  await prometheus?.stop();
  await Promise.all(brokers.map((broker) => broker.kill()));
});

/** Publishes to a stream until Prometheus has seen the number of deliveries grow, and a collection of garbage. */
async function keepBusy(broker: Broker): Promise<void> {
  const stream = await openStream(`${broker.url}/events/busy`);
  await stream.until('sluice:ready');
  const here = `{instance="127.0.0.1:${broker.port}"}`;
  const delivered = `rate(sluice_events_delivered_total${here}[5s]) > 0`;
  // There is no such metric before the first collection.
  const collected = `sum by (instance) (rate(nodejs_gc_duration_seconds_sum${here}[1m]))`;
  const data = 'x'.repeat(10_000);
  await vi.waitUntil(
    async () => {
      await Promise.all(Array.from({ length: 20 }, () => broker.publish('busy', data)));
      return (await prometheus.query(`${delivered} and on(instance) ${collected}`)).length === 1;
    },
    { timeout: 50_000, interval: 50 },
  );
  stream.close();
}

/** Fills in Grafana's variables, with a range for the short scrape interval. */
function filledIn(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1m')
    .replaceAll(/\$(?:job|instance)\b/g, '.*');
}

/** The names of the metrics in an expression. */
function metricsIn(expr: string): string[] {
  const selected = [...expr.matchAll(/([a-zA-Z_:][\w:]*)(?=[{[])/g)];
  const bare = [...expr.matchAll(/(?:\w+:)?\b(?:sluice|process|nodejs)_[\w:]+/g)];
  return [...selected, ...bare].map(([name]) => name);
}

test('the dashboard queries the chosen data source, and has a row for each part', () => {
  const sources = [...text.matchAll(/"datasource": \{([^]*?)\n *\}/g)].map(([, source = '']) =>
    source.replaceAll(/\s/g, ''),
  );
  expect(new Set(sources)).toEqual(new Set(['"type":"prometheus","uid":"${datasource}"']));
  expect(dashboard).not.toHaveProperty('uid');
  expect(dashboard.templating.list.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'datasource: datasource',
    'job: query',
    'instance: query',
  ]);
  expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
  expect(dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
    'Now',
    'Traffic',
    'Fan-out',
    'Latency',
    'Log',
    'Connections',
    'Process',
  ]);
});

test.for(queries)('$title: $expr', async ({ expr }) => {
  const answer = await prometheus.query(filledIn(expr));
  expect(answer.length).toBeGreaterThan(0);
});

test('queries give numbers after events were published', async () => {
  const main = queries.filter(({ expr }) =>
    /sluice_(?:published_total|events_delivered|publish_\w+_bucket)/.test(expr),
  );
  expect(main.length).toBeGreaterThan(8);
  for (const { expr } of main) {
    const values = (await prometheus.query(filledIn(expr))).map(({ value }) => value);
    expect(
      values.some((value) => value >= 0),
      expr,
    ).toBe(true);
  }
  const ready = await prometheus.query('sum(sluice_ready)');
  expect(ready.map(({ value }) => value)).toEqual([2]);
});

test('dashboard and rules name only existing metrics', async () => {
  const expressions = [...queries, ...allRules()].map(({ expr }) => expr);
  const named = expressions.flatMap(metricsIn);
  expect(named.length).toBeGreaterThan(expressions.length);
  const missing = async (): Promise<string[]> => {
    const there = new Set((await prometheus.get('/label/__name__/values')) as string[]);
    return named.filter((name) => !there.has(name));
  };
  // The series of recording rules appear with the first samples that they need.
  await expect.poll(missing).toEqual([]);
});

/** On a busy machine these alerts may be active for a moment. */
const OF_THE_MACHINE = new Set(['SluiceEventLoopLag', 'SluiceDeliverySlow', 'SluiceReplicaDown']);

test('Prometheus evaluates every rule, and no alert is active', async () => {
  interface Rule {
    readonly name: string;
    readonly health: string;
    readonly state?: string;
  }
  const isQuiet = ({ name, health, state = 'inactive' }: Rule): boolean =>
    health === 'ok' && (state === 'inactive' || (state === 'pending' && OF_THE_MACHINE.has(name)));
  const rules = async (): Promise<Rule[]> => {
    const { groups } = (await prometheus.get('/rules')) as { groups: { rules: Rule[] }[] };
    return groups.flatMap((group) => group.rules);
  };
  expect(await rules()).toHaveLength(allRules().length);
  await expect.poll(async () => (await rules()).filter((rule) => !isQuiet(rule))).toEqual([]);
});
