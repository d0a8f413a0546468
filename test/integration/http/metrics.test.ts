import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

/** What dashboards and alerts are built on: a name that changes breaks them. */
const NAMES = {
  sluice_buffered_bytes: 'gauge',
  sluice_channels: 'gauge',
  sluice_connections: 'gauge',
  sluice_connections_closed_total: 'counter',
  sluice_connections_opened_total: 'counter',
  sluice_connections_refused_total: 'counter',
  sluice_events_delivered_total: 'counter',
  sluice_events_replayed_total: 'counter',
  sluice_failed_authentications_total: 'counter',
  sluice_gaps_total: 'counter',
  sluice_heals_total: 'counter',
  sluice_log_up: 'gauge',
  sluice_publish_duration_seconds: 'histogram',
  sluice_publish_rate_uncounted_total: 'counter',
  sluice_publish_to_write_seconds: 'histogram',
  sluice_published_total: 'counter',
  sluice_requests_refused_total: 'counter',
  sluice_revocations: 'gauge',
};

test('every metric is there from the start, with its type and a help text', async () => {
  const answer = await exchange(broker.port, { path: '/metrics' });
  const { body } = answer;
  expect(answer.status).toBe(200);
  expect(answer.header('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const types = [...body.matchAll(/^# TYPE (sluice_\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
  const helps = [...body.matchAll(/^# HELP (sluice_\S+) \S/gm)].map(([, name = '']) => name);
  expect(Object.fromEntries(types)).toEqual(NAMES);
  expect(helps.toSorted()).toEqual(Object.keys(NAMES));
});

test('so is every series whose labels are known', async () => {
  const series = [...(await readMetrics(broker.url)).keys()];
  expect(series).toEqual(
    expect.arrayContaining([
      'sluice_published_total{result="ok"}',
      'sluice_published_total{result="replayed"}',
      'sluice_published_total{result="unavailable"}',
      'sluice_connections_closed_total{reason="client"}',
      'sluice_connections_closed_total{reason="drained"}',
      'sluice_connections_closed_total{reason="stalled"}',
      'sluice_connections_closed_total{reason="aged"}',
      'sluice_connections_closed_total{reason="disconnected"}',
      'sluice_connections_refused_total{reason="limit"}',
      'sluice_connections_refused_total{reason="draining"}',
      'sluice_connections_refused_total{reason="ip-limit"}',
      'sluice_connections_refused_total{reason="subject-limit"}',
      'sluice_connections_refused_total{reason="failed-authentication"}',
      'sluice_requests_refused_total{reason="key-rate"}',
      'sluice_requests_refused_total{reason="ip-rate"}',
      'sluice_requests_refused_total{reason="failed-authentication"}',
      'sluice_requests_refused_total{reason="body-size"}',
      'sluice_requests_refused_total{reason="head-size"}',
      'sluice_requests_refused_total{reason="slow"}',
    ]),
  );
  expect(series).toEqual(
    expect.arrayContaining(['process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds']),
  );
});

test('they count what happens', async () => {
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

test('nothing that users make up is in them', async () => {
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
