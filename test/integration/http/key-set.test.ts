import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import { KeyServer } from '../../support/key-server.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { signTokenWith } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const claims = { sluice: { subscribe: ['orders'], publish: ['orders'] } };
const token = signTokenWith(claims, privateKey, { kid: 'first' });

const server = new KeyServer();
let url: string;
beforeAll(async () => {
  url = await server.listen();
});
afterAll(() => server.stop());

const publish = (port: number, credential = token): Promise<RawAnswer> =>
  exchange(port, {
    method: 'POST',
    path: '/publish/orders',
    headers: [`Authorization: Bearer ${credential}`, 'Content-Length: 1'],
    body: 'x',
  });

test('a broker reads the keys of its tokens from a URL, and keeps them when the URL stops answering', async () => {
  server.give({ ...publicKey.export({ format: 'jwk' }), kid: 'first' });
  const broker = await startBroker({ SLUICE_JWKS_URL: url });
  const open = (): ReturnType<typeof openStream> => openStream(`${broker.url}/events/orders?token=${token}`);
  const first = await open();
  await first.until('sluice:ready');
  expect((await publish(broker.port)).status).toBe(200);
  expect((await first.next()).data).toBe('x');
  server.answer = { status: 500, body: '' };
  expect((await publish(broker.port)).status).toBe(200);
  first.close();
  await broker.kill();
});

test('a token with an unknown key is not refused for good', async () => {
  server.give({ ...publicKey.export({ format: 'jwk' }), kid: 'first' });
  const broker = await startBroker({ SLUICE_JWKS_URL: url, SLUICE_FAILED_AUTH_LIMIT: '1/m' });
  expect((await publish(broker.port)).status).toBe(200);
  const unknown = signTokenWith(claims, privateKey, { kid: 'second' });
  // The set was fetched at the start, and the next fetch is not allowed for 30 s.
  for (let i = 0; i < 3; i++) {
    const stream = await openStream(`${broker.url}/events/orders?token=${unknown}`);
    await stream.ended;
    expect(stream.status).toBe(200);
    expect(stream.retries[0]).toBeGreaterThanOrEqual(5_000);
    const answer = await publish(broker.port, unknown);
    expect(readProblem(answer, 503).code).toBe('keys-unavailable');
    expect(Number(answer.header('retry-after'))).toBeGreaterThan(1);
    expect(Number(answer.header('retry-after'))).toBeLessThanOrEqual(30);
  }
  const metrics = await readMetrics(broker.url);
  expect(metrics.get('sluice_connections_refused_total{reason="keys"}')).toBe(3);
  expect(metrics.get('sluice_failed_authentications_total')).toBe(0);
  await broker.kill();
});

test('without any key set, a publish is a 503, and subscribers are asked to come back', async () => {
  server.answer = { status: 500, body: '' };
  const broker = await startBroker({ SLUICE_JWKS_URL: url });
  const line = await broker.logged('SLUICE_JWKS_URL');
  expect(JSON.parse(line)).toMatchObject({ level: 40, reason: 'the status is 500' });
  const answer = await publish(broker.port);
  expect(readProblem(answer, 503).code).toBe('keys-unavailable');
  expect(answer.header('retry-after')).toBe('1');
  const stream = await openStream(`${broker.url}/events/orders?token=${token}`);
  await stream.ended;
  expect(stream.status).toBe(200);
  expect(stream.retries).toHaveLength(1);
  expect(stream.retries[0]).toBeGreaterThanOrEqual(5_000);
  const metrics = await readMetrics(broker.url);
  expect(metrics.get('sluice_connections_refused_total{reason="keys"}')).toBe(1);
  await broker.kill();
});
