import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

test('a subscription sent behind another request is answered after it, and counted', async () => {
  const connection = await openRaw(broker.port);
  connection.send(Buffer.concat([requestBytes({ path: '/livez' }), requestBytes({ path: '/events/news' })]));
  expect((await connection.answer()).status).toBe(200);
  await connection.until('sluice:ready');
  const id = await broker.publish('news', 'hello');
  await connection.until(`id: ${id}\n`);
  expect((await readMetrics(broker.url)).get('sluice_connections')).toBe(1);
  connection.close();
});
