import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';
import { readClosing } from '../../support/closing.ts';

const SECRET = 'a secret of more than thirty-two bytes';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET, SLUICE_MAX_CONNECTIONS_PER_SUBJECT: '2' });
});
afterAll(() => broker.kill());

async function bearer(subject: string): Promise<string> {
  const token = await new SignJWT({ sluice: { subscribe: ['*'] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(subject)
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
  return `Bearer ${token}`;
}

test('a subject at its limit of streams is asked to come back, with any of its tokens', async () => {
  const seven = await bearer('7');
  const open = (authorization: string, channel: string) =>
    openStream(`${broker.url}/events/${channel}`, { headers: { authorization } });
  const [first, second] = await Promise.all([open(seven, 'a'), open(seven, 'b')]);
  await Promise.all([first.until('sluice:ready'), second.until('sluice:ready')]);

  const headers = [`Authorization: ${await bearer('7')}`];
  const answer = await exchange(broker.port, { path: '/events/c', headers });
  expect(answer.status).toBe(200);
  const { reason, retry } = readClosing(answer.body);
  expect([reason, retry >= 5_000 && retry <= 15_000]).toEqual(['subject-limit', true]);
  const metrics = await readMetrics(broker.url);
  expect(metrics.get('sluice_connections_refused_total{reason="subject-limit"}')).toBe(1);

  const other = await open(await bearer('8'), 'c');
  await other.until('sluice:ready');
  first.close();
  await expect.poll(async () => (await readMetrics(broker.url)).get('sluice_connections')).toBe(2);
  const third = await open(seven, 'c');
  await third.until('sluice:ready');
  for (const stream of [second, other, third]) stream.close();
});
