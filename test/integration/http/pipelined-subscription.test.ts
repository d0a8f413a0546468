import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_HEARTBEAT: '1h' });
});
afterAll(() => broker.kill());

test('a subscription after another request is answered after it, and counted', async () => {
  const connection = await openRaw(broker.port);
  connection.send(Buffer.concat([requestBytes({ path: '/livez' }), requestBytes({ path: '/events/news' })]));
  expect((await connection.answer()).status).toBe(200);
  await connection.until('sluice:ready');
  const id = await broker.publish('news', 'hello');
  await connection.until(`id: ${id}\n`);
  expect((await readMetrics(broker.url)).get('sluice_connections')).toBe(1);
  connection.close();
});

test('a closed connection is noticed at once, also when an upload after the subscription made the server pause', async () => {
  // The broker refuses the upload by its length, and does not read it.
  const upload = requestBytes(
    publishRequest(broker, { path: '/publish/upload', body: 'x'.repeat(2_000_000) }),
  );
  const connection = await openRaw(broker.port);
  const requests = ['/', '/metrics', '/events/left'].map((path) => requestBytes({ path }));
  connection.send(Buffer.concat([...requests, upload]));
  await connection.until('sluice:ready');
  connection.finish();
  await connection.ended;
  connection.close();
  await expect.poll(async () => (await readMetrics(broker.url)).get('sluice_connections')).toBe(0);
});
