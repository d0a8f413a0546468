import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeEach(async () => {
  broker = await startBroker();
});
afterEach(() => broker.kill());

/** A publish of the data. An unusual header sends it through the HTTP server. */
function bytesOf(data: unknown, headers: readonly string[] = []): Buffer {
  return requestBytes(publishRequest(broker, { body: JSON.stringify({ channel: 'news', data }), headers }));
}
const UNUSUAL = ['Cookie: a=b'];

test('both ways give the same answer and the same event', async () => {
  const stream = await openStream(`${broker.url}/events/news`);
  await stream.until('sluice:ready');
  const connection = await openRaw(broker.port);
  const answers = [];
  for (const headers of [[], UNUSUAL]) {
    connection.send(bytesOf('same', [...headers, 'Idempotency-Key: k']));
    const answer = await connection.answer();
    expect(Number.isNaN(Date.parse(answer.header('date') ?? ''))).toBe(false);
    answers.push({
      status: answer.status,
      type: answer.header('content-type'),
      connection: answer.header('connection'),
      body: answer.body,
    });
  }
  expect(answers[1]).toEqual(answers[0]);
  connection.close();

  const { id } = JSON.parse(answers[0]?.body ?? '') as { id: string };
  await broker.publish('news', 'next');
  await stream.when(({ events }) => events.length === 3);
  expect(stream.events[1]).toMatchObject({ id, data: 'same' });
  expect((await readMetrics(broker.url)).get('sluice_published_total{result="ok"}')).toBe(2);
  stream.close();
});

test('a repeated Idempotency-Key is reported as a repetition', async () => {
  const connection = await openRaw(broker.port);
  const said = [];
  for (let i = 0; i < 2; i++) {
    connection.send(bytesOf('x', ['Idempotency-Key: again']));
    const answer = await connection.answer();
    said.push([answer.header('idempotent-replayed'), (JSON.parse(answer.body) as { id: string }).id]);
  }
  expect(said[0]?.[0]).toBeUndefined();
  expect(said[1]).toEqual(['true', said[0]?.[1]]);
  connection.close();
});

test('one connection serves many publishes, and then every other HTTP request', async () => {
  const connection = await openRaw(broker.port);
  for (let i = 0; i < 20; i++) {
    connection.send(bytesOf(i));
    expect((await connection.answer()).status).toBe(200);
  }
  connection.send(requestBytes({ path: '/livez' }));
  expect((await connection.answer()).status).toBe(200);
  connection.send(bytesOf('after'));
  expect((await connection.answer()).status).toBe(200);
  connection.send(requestBytes({ path: '/events/news?last=1' }));
  await connection.until('data: after');
  connection.close();
});

test('a publish in pieces of any size is one publish', async () => {
  const bytes = bytesOf('piece by piece');
  for (const size of [1, 7, 50, bytes.length - 1]) {
    const connection = await openRaw(broker.port);
    for (let i = 0; i < bytes.length; i += size) {
      connection.send(bytes.subarray(i, i + size));
      await new Promise(setImmediate);
    }
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  }
});

test('requests that arrive in pieces at the same time do not mix', async () => {
  const other = await openRaw(broker.port);
  const requests = [
    ...['a', 'b', 'c'].map((data) => bytesOf(data.repeat(200))),
    bytesOf('d'.repeat(200), UNUSUAL),
    requestBytes({ path: '/events/news?last=9' }),
    requestBytes({ path: '/events/news?last=9', headers: ['Cookie: a=b'] }),
  ];
  const connections = await Promise.all(requests.map(() => openRaw(broker.port)));
  const PIECES = 5;
  for (let piece = 0; piece < PIECES; piece++) {
    for (const [i, bytes] of requests.entries()) {
      const size = Math.ceil(bytes.length / PIECES);
      connections[i]?.send(bytes.subarray(piece * size, (piece + 1) * size));
    }
    // What the broker reads for this connection takes the place of what it has read for the others.
    other.send(bytesOf('~'.repeat(1_000)));
    expect((await other.answer()).status).toBe(200);
  }
  const answers = await Promise.all(connections.slice(0, 4).map((connection) => connection.answer()));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  for (const connection of connections.slice(4)) await connection.until('sluice:ready');
  const stream = await openStream(`${broker.url}/events/news?last=9`);
  await stream.until('sluice:ready');
  const expected = [
    ...['a', 'b', 'c', 'd'].map((data) => data.repeat(200)),
    ...Array<string>(PIECES).fill('~'.repeat(1_000)),
  ];
  expect(
    stream.events
      .slice(0, 9)
      .map(({ data }) => data)
      .toSorted(),
  ).toEqual(expected);
  stream.close();
  for (const connection of [...connections, other]) connection.close();
});

test('pipelined publishes are answered in order', async () => {
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('first'));
  connection.send(Buffer.concat([bytesOf('second'), bytesOf('third')]));
  connection.send(bytesOf('fourth'));
  const ids: string[] = [];
  for (let i = 0; i < 4; i++) ids.push((JSON.parse((await connection.answer()).body) as { id: string }).id);
  const stream = await openStream(`${broker.url}/events/news?last=4`);
  await stream.until('sluice:ready');
  expect(stream.events.slice(0, 4).map(({ id, data }) => [id, data])).toEqual(
    ['first', 'second', 'third', 'fourth'].map((data, i) => [ids[i], data]),
  );
  stream.close();
  connection.close();
});

describe('a refused publish gets the usual problem, and the connection goes on', () => {
  test.each([
    ['a wrong key', 401, ['Authorization: Bearer wrong'], '{"channel":"news","data":1}'],
    ['no data', 400, undefined, '{"channel":"news"}'],
    ['a bad name', 400, undefined, '{"channel":"a/b","data":1}'],
    ['no JSON', 400, undefined, '{"channel'],
    ['a lone surrogate', 400, undefined, String.raw`{"channel":"news","data":"\ud800"}`],
  ])('%s', async (_name, status, key, body) => {
    const connection = await openRaw(broker.port);
    connection.send(bytesOf('before'));
    await connection.answer();
    const right = publishRequest(broker, { body });
    const { headers: usual = [] } = right;
    const headers = key === undefined ? usual : [...key, ...usual.slice(1)];
    connection.send(requestBytes({ ...right, headers }));
    const answer = await connection.answer();
    expect(answer.status).toBe(status);
    expect(answer.header('content-type')).toBe('application/problem+json');
    connection.send(bytesOf('after'));
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });
});

test('a client that closes its side after a publish gets the answer, and then the end', async () => {
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('last words'));
  connection.finish();
  expect((await connection.answer()).status).toBe(200);
  await connection.ended;
});

test('a client that stops in the middle of a publish gets an error, and nothing is published', async () => {
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('half').subarray(0, -5));
  connection.finish();
  expect((await connection.answer()).status).toBe(400);
  await connection.ended;
  expect((await readMetrics(broker.url)).get('sluice_published_total{result="ok"}')).toBe(0);
});

test('a body above SLUICE_MAX_BODY_BYTES is 413', async () => {
  await broker.kill();
  broker = await startBroker({ SLUICE_MAX_BODY_BYTES: '40' });
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('short'));
  expect((await connection.answer()).status).toBe(200);
  connection.send(bytesOf('longer than forty bytes in all'));
  expect((await connection.answer()).status).toBe(413);
  connection.close();
});

test('a head above SLUICE_MAX_HEADER_BYTES is 431', async () => {
  await broker.kill();
  broker = await startBroker({ SLUICE_MAX_HEADER_BYTES: '1024' });
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('short'));
  expect((await connection.answer()).status).toBe(200);
  connection.send(bytesOf('long', [`X-Trace: ${'a'.repeat(2_000)}`]));
  expect((await connection.answer()).status).toBe(431);
  connection.close();
});

test('at the end of a drain, an idle connection in the lane is closed', async () => {
  const connection = await openRaw(broker.port);
  connection.send(bytesOf('x'));
  await connection.answer();
  const [exit] = await Promise.all([broker.stop(), connection.ended]);
  expect(exit).toEqual({ code: 0, signal: null });
});
