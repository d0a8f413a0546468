import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { documentedMetrics, exposedMetrics } from '../../support/documented-metrics.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

// Dashboards and alerts use these names: a changed name breaks them.
test('/metrics has exactly the metrics of docs/metrics.md from the start, with their types, labels and label values', async () => {
  const answer = await exchange(broker.port, { path: '/metrics' });
  expect(answer.status).toBe(200);
  expect(answer.header('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const exposed = exposedMetrics(answer.body);
  expect(Object.keys(exposed).length).toBeGreaterThan(10);
  expect(exposed).toEqual(documentedMetrics());
});

test('each metric has a help text, and all others are Node’s', async () => {
  const { body } = await exchange(broker.port, { path: '/metrics' });
  const helps = [...body.matchAll(/^# HELP (\w+) \S/gm)].map(([, name = '']) => name);
  const types = [...body.matchAll(/^# TYPE (\w+) /gm)].map(([, name = '']) => name);
  expect(helps.toSorted()).toEqual(types.toSorted());
  expect(types.filter((name) => !/^(?:sluice|process|nodejs)_/.test(name))).toEqual([]);
  expect(types).toEqual(
    expect.arrayContaining(['process_cpu_seconds_total', 'nodejs_eventloop_lag_p99_seconds']),
  );
});

test('docs/metrics.md names only existing metrics of Node’s', async () => {
  const { body } = await exchange(broker.port, { path: '/metrics' });
  const types = new Set([...body.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name));
  const named = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8').matchAll(
    /`((?:process|nodejs)_\w*[a-z])`/g,
  );
  expect([...named].map(([, name]) => name).filter((name) => !types.has(name))).toEqual([]);
});

const state = (metrics: ReadonlyMap<string, number>): unknown[] =>
  ['sluice_connections_limit', 'sluice_ready', 'sluice_log_up'].map((name) => metrics.get(name));

test('metrics give the limit of streams, and whether new ones are accepted', async () => {
  const ours = await readMetrics(broker.url);
  // Nothing listens on port 1.
  const cutOff = await startBroker({ SLUICE_MAX_CONNECTIONS: '7', REDIS_URL: 'redis://127.0.0.1:1' });
  const theirs = await readMetrics(cutOff.url);
  await cutOff.kill();
  expect(state(ours)).toEqual([Infinity, 1, 1]);
  expect(state(theirs)).toEqual([7, 0, 0]);
});

test('metrics count what happens', async () => {
  const before = await readMetrics(broker.url);
  const streams = await Promise.all([1, 2].map(() => openStream(`${broker.url}/events/counted`)));
  await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
  const headers = ['Idempotency-Key: counted'];
  for (let i = 0; i < 2; i++) await publishRaw(broker, { path: '/publish/counted', headers, body: 'x' });
  await Promise.all(streams.map((stream) => stream.next()));
  const late = await openStream(`${broker.url}/events/counted`, { headers: { 'last-event-id': '0-0' } });
  await late.until('sluice:ready');
  const lost = await openStream(`${broker.url}/events/counted`, { headers: { 'last-event-id': 'lost' } });
  await lost.until('sluice:ready');

  const after = await readMetrics(broker.url);
  const grown = (series: string): number => (after.get(series) ?? NaN) - (before.get(series) ?? 0);
  expect({
    connections: grown('sluice_connections'),
    opened: grown('sluice_connections_opened_total'),
    channels: grown('sluice_channels'),
    published: grown('sluice_published_total{result="ok"}'),
    replays: grown('sluice_published_total{result="replayed"}'),
    delivered: grown('sluice_events_delivered_total'),
    replayed: grown('sluice_events_replayed_total'),
    gaps: grown('sluice_gaps_total'),
    durations: grown('sluice_publish_duration_seconds_count'),
    log: after.get('sluice_log_up'),
  }).toEqual({
    connections: 4,
    opened: 4,
    channels: 1,
    published: 1,
    replays: 1,
    delivered: 2,
    replayed: 1,
    gaps: 1,
    durations: 2,
    log: 1,
  });
  for (const stream of [...streams, late, lost]) stream.close();
});

test('no label has a value that a client made up', async () => {
  const secret = 'a-name-that-users-made-up';
  const stream = await openStream(`${broker.url}/events/${secret}?token=${secret}`, {
    headers: { 'last-event-id': secret, 'user-agent': secret, origin: `https://${secret}.example` },
  });
  await stream.until('sluice:ready');
  const headers = [`Idempotency-Key: ${secret}`];
  await publishRaw(broker, { path: `/publish/${secret}?event=${secret}`, headers, body: secret });
  await stream.until(secret);
  await exchange(broker.port, { path: `/${secret}` });
  expect((await exchange(broker.port, { path: '/metrics' })).body).not.toContain(secret);
  stream.close();
});
