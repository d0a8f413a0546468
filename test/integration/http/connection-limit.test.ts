import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { readClosing } from '../../support/closing.ts';

const ORIGIN = 'https://app.example';

let broker: Broker;
let served: SseStream[];
beforeAll(async () => {
  broker = await startBroker({ SLUICE_MAX_CONNECTIONS: '2', SLUICE_CORS_ORIGINS: ORIGIN });
  served = await Promise.all([open(), open()]);
  await Promise.all(served.map((stream) => stream.until('sluice:ready')));
});
afterAll(() => broker.kill());

async function open(): Promise<SseStream> {
  return await openStream(`${broker.url}/events/limit`, { headers: { origin: ORIGIN } });
}

describe('a stream beyond SLUICE_MAX_CONNECTIONS', () => {
  test('is answered with a stream that has a late retry, and ends', async () => {
    const refused = await open();
    await refused.ended;
    expect(refused.status).toBe(200);
    expect(refused.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
    });
    expect(refused.text).toMatch(/^retry: /);
    expect(readClosing(refused.text)).toMatchObject({ reason: 'limit', id: undefined });
    expect(refused.events).toHaveLength(1);
  });

  test('gets a retry of 5 to 15 s, a different one for each client', async () => {
    const refused = await Promise.all(Array.from({ length: 12 }, open));
    await Promise.all(refused.map((stream) => stream.ended));
    const retries = refused.flatMap((stream) => stream.retries);
    expect(retries).toHaveLength(12);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(5_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(15_000);
    expect(new Set(retries).size).toBeGreaterThan(1);
  });

  test('is counted as refused and not as opened', async () => {
    const before = await readMetrics(broker.url);
    await (
      await open()
    ).ended;
    const after = await readMetrics(broker.url);
    const refused = 'sluice_connections_refused_total{reason="limit"}';
    expect(after.get(refused)).toBe((before.get(refused) ?? 0) + 1);
    expect(after.get('sluice_connections')).toBe(2);
    expect(after.get('sluice_connections_opened_total')).toBe(2);
  });

  test('does not delay events on other streams, or publishes', async () => {
    const id = await broker.publish('limit', 'x');
    for (const stream of served) expect(await stream.next()).toMatchObject({ id });
  });

  test('still gets an error where waiting does not help', async () => {
    for (const path of ['/events/a%20b', '/events/a?last=x'])
      readProblem(await exchange(broker.port, { path }), 400);
  });

  test('is served after another stream has ended', async () => {
    served.pop()?.close();
    // The broker notices a closed connection a little later.
    let stream = await open();
    while (!(await isServed(stream))) stream = await open();
    await broker.publish('limit', 'y');
    expect(await stream.next()).toMatchObject({ data: 'y' });
  });
});

async function isServed(stream: SseStream): Promise<boolean> {
  return await Promise.race([
    stream.until('sluice:ready').then(
      () => true,
      () => false,
    ),
    stream.ended.then(() => false),
  ]);
}
