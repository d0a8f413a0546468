import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

test('HEAD answers with the head of a stream at once, and subscribes nobody', async () => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ method: 'HEAD', path: '/events/nobody' }));
  const answer = await connection.answer('HEAD');
  const metrics = await readMetrics(broker.url);
  connection.close();

  expect(answer.status).toBe(200);
  expect(
    Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value])),
  ).toMatchObject({
    'cache-control': 'no-store, no-transform',
    'content-type': 'text/event-stream; charset=utf-8',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  });
  for (const name of ['content-length', 'transfer-encoding', 'content-encoding'])
    expect(answer.header(name)).toBeUndefined();
  for (const name of ['sluice_connections', 'sluice_connections_opened_total', 'sluice_channels'])
    expect(metrics.get(name)).toBe(0);
});

test('the answer has no body, also when it is a refusal', async () => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ method: 'HEAD', path: '/events/a%20b' }));
  expect((await connection.answer('HEAD')).status).toBe(400);
  connection.send(requestBytes({ path: '/livez' }));
  expect((await connection.answer()).body).toBe('{"status":"live"}');
  connection.close();
});

test.each(['/events/a%20b', '/events/a?last=x', '/events/a?since=x'])(
  'HEAD refuses what GET refuses: %s',
  async (path) => {
    for (const method of ['GET', 'HEAD'])
      expect((await exchange(broker.port, { method, path })).status).toBe(400);
  },
);
