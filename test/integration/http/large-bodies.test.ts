import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

test('a publish after a large body on the same connection is published after it', async () => {
  const stream = await openStream(`${broker.url}/events/order`);
  await stream.until('sluice:ready');
  const sizes = [500_000, 3, 200_000, 4, 5, 64 * 1024, 6];
  const publish = (size: number, i: number): Buffer =>
    requestBytes({
      method: 'POST',
      path: '/publish/order',
      headers: [`Authorization: Bearer ${broker.key}`, `Content-Length: ${size}`],
      body: String(i).padEnd(size, 'x'),
    });
  const connection = await openRaw(broker.port);
  connection.send(Buffer.concat(sizes.map(publish)));
  for (const _ of sizes) expect((await connection.answer('POST')).status).toBe(200);
  const got: string[] = [];
  while (got.length < sizes.length) got.push((await stream.next()).data.slice(0, 1));
  expect(got).toEqual(sizes.map((_, i) => String(i)));
  connection.close();
  stream.close();
});
