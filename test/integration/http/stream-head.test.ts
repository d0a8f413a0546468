import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openRaw, readChunks, requestBytes } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_RETRY: '4s' });
});
afterAll(() => broker.kill());

const HEAD = {
  'cache-control': 'no-store, no-transform',
  connection: 'close',
  'content-type': 'text/event-stream; charset=utf-8',
  'cross-origin-resource-policy': 'same-origin',
  'transfer-encoding': 'chunked',
  vary: 'Accept-Encoding',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};

/** Opens a stream and reads until it is live; returns head and body as received. */
async function subscribe(...headers: readonly string[]): Promise<{ head: string; body: string }> {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ path: '/events/head', headers }));
  await connection.until('sluice:ready');
  await connection.until('}}\n\n');
  const [head = ''] = connection.text.split('\r\n\r\n');
  connection.close();
  return { head, body: readChunks(connection.text) };
}

/** All headers except Date, by name. A repeated header is an error. */
function headersOf(head: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const [name = '', value = ''] = line.split(/: (.*)/);
    if (name.toLowerCase() in headers) throw new Error(`${name} comes twice`);
    headers[name.toLowerCase()] = value;
  }
  const { date, ...others } = headers;
  expect(date).toMatch(/ GMT$/);
  return others;
}

describe('the head of a stream', () => {
  test.each([
    ['to a plain request', []],
    ['to an EventSource', ['Accept: text/event-stream', 'Cache-Control: no-cache', 'Last-Event-ID: 1-0']],
    ['to one that would take it in another coding', ['Accept-Encoding: deflate, br, zstd']],
    ['to one that asks for JSON', ['Accept: application/json']],
    ['to one that takes nothing', ['Accept: text/html;q=0, */*;q=0']],
    ['to one that keeps connections', ['Connection: keep-alive', 'TE: trailers']],
  ])('is the same %s', async (_to, headers) => {
    const { head } = await subscribe(...headers);
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(headersOf(head)).toEqual(HEAD);
  });

  test('is not chunked for a client of HTTP/1.0', async () => {
    const connection = await openRaw(broker.port);
    connection.send('GET /events/head HTTP/1.0\r\n\r\n');
    await connection.until('sluice:ready');
    await connection.until('}}\n\n');
    const [head = '', body = ''] = connection.text.split('\r\n\r\n');
    const { 'transfer-encoding': _chunked, ...others } = HEAD;
    expect(headersOf(head)).toEqual(others);
    expect(body).toMatch(/^retry: \d+\n:\nid: 0-0\nevent: sluice:ready\n/);
    connection.close();
  });
});

describe('the body of a stream', () => {
  test('begins with a retry and a comment, without a blank line, followed by ready', async () => {
    const { body } = await subscribe();
    expect(body).toMatch(
      /^retry: \d+\n:\nid: 0-0\nevent: sluice:ready\ndata: \{"channels":\{"head":"0-0"\}\}\n\n$/,
    );
  });

  test('has a retry of 0.5 to 1.5 times SLUICE_RETRY, a different one for each stream', async () => {
    const streams = await Promise.all(
      Array.from({ length: 12 }, () => openStream(`${broker.url}/events/head`)),
    );
    await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
    const retries = streams.flatMap((stream) => stream.retries);
    for (const stream of streams) stream.close();
    expect(retries).toHaveLength(12);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(2_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(6_000);
    expect(new Set(retries).size).toBeGreaterThan(1);
  });

  test("has the channel's position in ready, as its id and in its data", async () => {
    const id = await broker.publish('positioned', 'x');
    const stream = await openStream(`${broker.url}/events/positioned`);
    const data = JSON.stringify({ channels: { positioned: id } });
    expect(await stream.until('sluice:ready')).toEqual([{ id, event: 'sluice:ready', data }]);
    stream.close();
  });

  test('has events in the wire format: id, event, data', async () => {
    const stream = await openStream(`${broker.url}/events/wire`);
    await stream.until('sluice:ready');
    const before = stream.text.length;
    const first = await broker.publish('wire', 'a');
    const second = await broker.publish('wire', 'b\nc', 'typed');
    await stream.until('typed');
    expect(stream.text.slice(before)).toBe(
      `id: ${first}\ndata: a\n\nid: ${second}\nevent: typed\ndata: b\ndata: c\n\n`,
    );
    stream.close();
  });
});
