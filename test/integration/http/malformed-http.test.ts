import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { exchange, openRaw, readChunks, requestBytes } from '../../support/raw-http.ts';
import type { RawConnection } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker();
});
afterAll(() => broker.kill());

async function openLive(): Promise<RawConnection> {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ path: '/events/piped' }));
  await connection.until('sluice:ready');
  return connection;
}

describe('a malformed HTTP/1.1 request is refused with 400, and the connection ends', () => {
  test.each([
    ['a word', 'hello\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['Redis', '*1\r\n$4\r\nPING\r\n'],
    ['an unknown method', 'BREW /livez HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a version that there is not', 'GET /livez HTTP/3.7\r\nHost: a\r\n\r\n'],
    ['HTTP/2 in words of HTTP/1.1', 'GET /events/a HTTP/2.0\r\nHost: a\r\n\r\n'],
    ['a space in the path', 'GET /events/a b HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['NUL in the path', 'GET /events/a\0 HTTP/1.1\r\nHost: a\r\n\r\n'],
    [
      'a byte above ASCII in the path',
      Buffer.from('GET /events/\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1'),
    ],
    ['a header without a colon', 'GET /livez HTTP/1.1\r\nHost: a\r\nwhat\r\n\r\n'],
    ['a space before the colon', 'GET /livez HTTP/1.1\r\nHost : a\r\n\r\n'],
    ['a folded header', 'GET /livez HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n'],
    ['NUL in a header', 'GET /livez HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n'],
    ['a CR without LF in a header', 'GET /livez HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n'],
    ['no Host', 'GET /livez HTTP/1.1\r\n\r\n'],
  ])('%s', async (_what, bytes) => {
    const connection = await openRaw(broker.port);
    connection.send(bytes);
    const answer = await connection.answer();
    expect(readProblem(answer, 400).code).toBe('bad-request');
    expect(answer.header('connection')).toBe('close');
    await connection.ended;
    connection.close();
  });
});

describe('a head that is too large is 431', () => {
  test.each([
    ['one header', { path: '/livez', headers: [`X: ${'x'.repeat(17_000)}`] }],
    [
      'many headers',
      { path: '/livez', headers: Array.from({ length: 900 }, (_, i) => `X-${i}: ${'x'.repeat(20)}`) },
    ],
    ['the path', { path: `/events/${'x'.repeat(17_000)}` }],
    ['a request line of 64 KiB', { path: `/events/${'x'.repeat(64 * 1024)}` }],
    ['more than 1,000 headers, however short', { path: '/livez', headers: Array(1_000).fill('X:') }],
  ])('%s', async (_what, request) => {
    expect(readProblem(await exchange(broker.port, request), 431).code).toBe('headers-too-large');
  });

  test('1,000 headers, with the Host header, are accepted', async () => {
    const answer = await exchange(broker.port, { path: '/livez', headers: Array(999).fill('X:') });
    expect(answer.status).toBe(200);
  });

  test('a Last-Event-ID of 8 KiB is accepted', async () => {
    const headers = [`Last-Event-ID: ${'x'.repeat(8_192)}`];
    const answer = await exchange(broker.port, { method: 'HEAD', path: '/events/a', headers });
    expect(answer.status).toBe(200);
  });
});

describe('an Expect header', () => {
  test.each(['miracles', '101-continue', 'x'.repeat(2_000)])('is 417: %s', async (expectation) => {
    const headers = [`Expect: ${expectation}`, 'Content-Length: 5'];
    for (const method of ['GET', 'POST']) {
      const answer = await exchange(broker.port, { method, path: '/publish/a', headers });
      expect(readProblem(answer, 417).code).toBe('expectation-failed');
    }
  });

  test('with 100-continue is answered with 100', async () => {
    const connection = await openRaw(broker.port);
    const { headers = [], ...request } = publishRequest(broker, { path: '/publish/a', body: 'x' });
    connection.send(requestBytes({ ...request, headers: [...headers, 'Expect: 100-Continue'], body: '' }));
    expect((await connection.answer('HEAD')).status).toBe(100);
    connection.send('x');
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });

  test.each([
    ['that is taken', true, 200],
    ['that is refused', false, 401],
  ])(
    'with 100-continue, after another request, does not mix with its answer: %s',
    async (_what, keyed, status) => {
      const { headers = [], ...request } = publishRequest(broker, { path: '/publish/a', body: 'x' });
      const sent = keyed ? headers : headers.filter((line) => !line.startsWith('Authorization'));
      const connection = await openRaw(broker.port);
      connection.send(
        Buffer.concat([
          requestBytes({ path: '/livez' }),
          requestBytes({ ...request, headers: [...sent, 'Expect: 100-continue'] }),
        ]),
      );
      expect((await connection.answer()).status).toBe(200);
      let answer = await connection.answer('HEAD');
      // The broker sends no 100 when it already knows the answer.
      if (answer.status === 100) answer = await connection.answer('HEAD');
      expect(answer.status).toBe(status);
      await connection.until('}');
      expect(connection.text).toMatch(/^\{"(channel|type)":/);
      connection.close();
    },
  );

  test('with 100-continue, after another request, is answered with 100, too', async () => {
    const connection = await openRaw(broker.port);
    const { headers = [], ...request } = publishRequest(broker, { path: '/publish/a', body: 'x' });
    connection.send(
      Buffer.concat([
        requestBytes({ path: '/livez' }),
        requestBytes({ ...request, headers: [...headers, 'Expect: 100-continue'], body: '' }),
      ]),
    );
    expect((await connection.answer()).status).toBe(200);
    expect((await connection.answer('HEAD')).status).toBe(100);
    connection.send('x');
    expect((await connection.answer()).status).toBe(200);
    connection.close();
  });
});

describe('the request target *', () => {
  test.each(['GET', 'HEAD', 'POST', 'DELETE'])('is refused with 400 for %s', async (method) => {
    const answer = await exchange(broker.port, { method, path: '*' });
    expect(answer.status).toBe(400);
    expect(answer.header('content-type')).toBe('application/problem+json');
  });

  test('is accepted for OPTIONS', async () => {
    expect((await exchange(broker.port, { method: 'OPTIONS', path: '*' })).status).toBe(204);
  });
});

describe('bytes after the request of a stream', () => {
  test.each([
    ['a second stream', () => requestBytes({ path: '/events/other' })],
    ['a request', () => requestBytes({ path: '/livez' })],
    ['a publish', () => requestBytes(publishRequest(broker, { path: '/publish/other', body: 'x' }))],
    ['a request that is refused', () => requestBytes({ path: '/nothing' })],
    ['a hundred requests', () => Buffer.concat(Array(100).fill(requestBytes({ path: '/livez' })))],
  ])('do not disturb the stream: %s', async (_what, bytes) => {
    const opened = (await readMetrics(broker.url)).get('sluice_connections_opened_total') ?? 0;
    const connection = await openLive();
    connection.send(bytes());
    await exchange(broker.port, { path: '/livez' });
    await broker.publish('piped', 'still there');
    await connection.until('still there');
    expect(readChunks(connection.text).replace(/^retry: \d+\n/, '')).toMatch(
      /^:\nid: \S+\nevent: sluice:ready\ndata: \S+\n\nid: \S+\ndata: still/,
    );
    expect(connection.text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    expect((await readMetrics(broker.url)).get('sluice_connections_opened_total')).toBe(opened + 1);
    connection.close();
  });

  test('do not disturb the stream: a second stream in the same packet', async () => {
    const connection = await openRaw(broker.port);
    const requests = ['/events/piped', '/events/other'].map((path) => requestBytes({ path }));
    connection.send(Buffer.concat(requests));
    await connection.until('sluice:ready');
    await broker.publish('other', 'of the second');
    await broker.publish('piped', 'of the first');
    await connection.until('of the first');
    expect(connection.text).not.toContain('of the second');
    expect(connection.text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    connection.close();
  });

  test.each([
    ['words', 'garbage\r\n\r\n'],
    ['half a request', 'GET /livez HT'],
    ['a request with a bad header', 'GET /livez HTTP/1.1\r\n : \r\n\r\n'],
    ['a head that is too large', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n`],
    ['another protocol', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an upgrade', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
  ])('in the same packet do not disturb the stream: %s', async (_what, bytes) => {
    const connection = await openRaw(broker.port);
    connection.send(Buffer.concat([requestBytes({ path: '/events/piped' }), Buffer.from(bytes)]));
    await connection.until('sluice:ready');
    await broker.publish('piped', 'still there');
    await connection.until('still there');
    expect(connection.text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    connection.close();
  });

  test('never add another answer to the stream: garbage', async () => {
    const connection = await openLive();
    connection.send('garbage\r\n\r\n');
    await Promise.race([
      connection.ended,
      broker.publish('piped', 'on').then(() => connection.until('on\n\n')),
    ]);
    await exchange(broker.port, { path: '/livez' });
    expect(connection.text.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
    connection.close();
  });
});

test('after a refused stream the connection serves other requests', async () => {
  const connection = await openRaw(broker.port);
  connection.send(requestBytes({ path: '/events/a%20b' }));
  expect((await connection.answer()).status).toBe(400);
  connection.send(requestBytes({ path: '/livez' }));
  expect((await connection.answer()).status).toBe(200);
  connection.close();
});

test('the broker is still alive, and has logged no error', async () => {
  expect((await exchange(broker.port, { path: '/livez' })).status).toBe(200);
  expect(broker.log().filter((line) => !line.includes('"level":30'))).toEqual([]);
});
