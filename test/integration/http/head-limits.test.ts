import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_HEAD_TIMEOUT: '300ms',
    SLUICE_MAX_HEADER_BYTES: '2KiB',
    SLUICE_MAX_BODY_BYTES: '1000',
  });
});
afterAll(() => broker.kill());

async function refused(reason: string): Promise<number> {
  return (await readMetrics(broker.url)).get(`sluice_requests_refused_total{reason="${reason}"}`) ?? NaN;
}

describe('a head that is not complete within SLUICE_HEAD_TIMEOUT is answered with 408, and the connection ends', () => {
  test.each([
    ['nothing at all', ''],
    ['half a request line', 'GET /liv'],
    ['headers without an end', 'GET /livez HTTP/1.1\r\nHost: a\r\nX: y\r\n'],
  ])('%s', async (_what, text) => {
    const before = await refused('slow');
    const connection = await openRaw(broker.port);
    connection.send(text);
    const answer = await connection.answer();
    expect(readProblem(answer, 408).code).toBe('request-timeout');
    expect(answer.header('connection')).toBe('close');
    await connection.ended;
    connection.close();
    expect(await refused('slow')).toBe(before + 1);
  });

  test('single bytes do not extend the time', async () => {
    const connection = await openRaw(broker.port);
    connection.send('GET /livez HTTP/1.1\r\nHost: a\r\n');
    const drip = setInterval(() => connection.send('X: y\r\n'), 50);
    expect((await connection.answer()).status).toBe(408);
    clearInterval(drip);
    connection.close();
  });
});

test('a stream of any age does not count as a slow request', async () => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ path: '/events/a' }));
  await connection.until('sluice:ready');
  const slow = await openRaw(broker.port);
  expect((await slow.answer()).status).toBe(408);
  slow.close();
  await broker.publish('a', 'x');
  await connection.until('data: x');
  connection.close();
});

test('a head larger than SLUICE_MAX_HEADER_BYTES is 431', async () => {
  const before = await refused('head-size');
  const headers = [`X: ${'x'.repeat(2_100)}`];
  expect(readProblem(await exchange(broker.port, { path: '/livez', headers }), 431).code).toBe(
    'headers-too-large',
  );
  expect(await refused('head-size')).toBe(before + 1);
  const fits = await exchange(broker.port, { path: '/livez', headers: [`X: ${'x'.repeat(1_900)}`] });
  expect(fits.status).toBe(200);
});

test('a body larger than SLUICE_MAX_BODY_BYTES is counted', async () => {
  const before = await refused('body-size');
  const headers = [`Authorization: Bearer ${broker.key}`, 'Content-Length: 1001'];
  const answer = await exchange(broker.port, {
    method: 'POST',
    path: '/publish/a',
    headers,
    body: 'x'.repeat(1_001),
  });
  expect(answer.status).toBe(413);
  expect(await refused('body-size')).toBe(before + 1);
});

test('each kind of refusal has left one line in the log', () => {
  const lines = broker.log().filter((line) => line.includes('a limit was reached'));
  const kinds = lines.map((line) => (JSON.parse(line) as { limit: string }).limit);
  expect(new Set(kinds)).toEqual(new Set(['slow', 'head-size', 'body-size']));
  expect(lines.length).toBeLessThanOrEqual(2 * 3);
});
