import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  Http2ServerResponse,
  IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectTcp } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AllowedOrigins } from '../../../src/auth/allowed-origins.ts';
import { createHttpServer } from '../../../src/http/http-server.ts';
import { TlsServer } from '../../../src/http/tls-server.ts';
import { createAuthority } from '../../support/certificates.ts';
import { HALF_HEAD, PING, PREFACE, data, frame, postHead, reset } from '../../support/http2-frames.ts';
import { RawConnection } from '../../support/raw-http.ts';

/** Short, so that the tests take little time. No test depends on the exact value. */
const LIMIT = 1_000;

const identity = createAuthority().issue();
let tls: TlsServer;
let server: FastifyInstance;
let port: number;
let slow: number;
/** The bodies that have arrived completely. */
let taken: string[];
/** How many requests have begun to send a body, and how many of them have ended. */
let seen: { arriving: number; over: number };
let open: { destroy(): void }[];

beforeEach(async () => {
  slow = 0;
  taken = [];
  // A new object for each test: requests of the test before may end late.
  const counts = { arriving: 0, over: 0 };
  seen = counts;
  open = [];
  tls = new TlsServer(identity);
  server = await createHttpServer({
    logger: pino({ level: 'silent' }),
    tls,
    maxBodyBytes: 10_000,
    maxHeaderBytes: 16_384,
    headTimeout: LIMIT,
    requestTimeout: LIMIT,
    trustedProxies: [],
    corsOrigins: new AllowedOrigins([]),
    onRequestRefused: (reason) => {
      if (reason === 'slow') slow++;
    },
    routes: async (app) => {
      app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
      app.get('/', async () => 'hello');
      app.post<{ Body: string }>('/take', async ({ body }) => {
        taken.push(body);
        return 'taken';
      });
      app.addHook('preParsing', async (incoming, _reply, payload) => {
        payload.once('data', () => counts.arriving++);
        incoming.raw.once('close', () => counts.over++);
        return payload;
      });
      // Answers without an end, and reads nothing.
      app.get('/live', (_request, reply) => {
        reply.hijack();
        (reply.raw as unknown as Http2ServerResponse).stream.setTimeout(0);
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
        reply.raw.write('first\n');
        setTimeout(() => reply.raw.write('later\n'), 4 * LIMIT);
      });
    },
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = server.server.address() as AddressInfo);
});
afterEach(async () => {
  for (const one of open) one.destroy();
  tls.closeAllConnections();
  await server.close();
});

function session(): ClientHttp2Session {
  const opened = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  opened.on('error', () => undefined);
  open.push(opened);
  return opened;
}

function request(
  of: ClientHttp2Session,
  headers: Record<string, string>,
  endStream = false,
): ClientHttp2Stream {
  const stream = of.request(headers, { endStream });
  stream.on('error', () => undefined);
  return stream;
}

async function raw(protocol: 'h2' | 'http/1.1'): Promise<RawConnection> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ALPNProtocols: [protocol],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  return new RawConnection(socket);
}

/** A HEADERS frame of the largest size. Its first nine bytes are its head. */
const LARGE_HEAD = frame(1, 0x4, 1, Buffer.alloc(16_384));
const ONE_FIELD = Buffer.from([0x82]);
const post = { ':method': 'POST', ':path': '/take', 'content-type': 'text/plain' };

describe('a request over HTTP/2 that takes too long', () => {
  test.each([
    ['with a byte now and then', true],
    ['of which nothing comes', false],
  ])('%s is answered with 408, counted, and ended; the connection goes on', async (_how, drips) => {
    const client = session();
    const stream = request(client, post);
    const drip = setInterval(() => drips && stream.write('x'), 50);
    const [answer] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    let body = '';
    stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    await once(stream, 'end');
    clearInterval(drip);
    expect(answer[':status']).toBe(408);
    expect(answer['content-type']).toBe('application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ type: 'urn:sluice:problem:request-timeout', status: 408 });
    if (!stream.closed) await once(stream, 'close');
    expect([slow, taken]).toEqual([1, []]);
    const next = request(client, { ':path': '/' });
    expect(((await once(next, 'response')) as [IncomingHttpHeaders])[0][':status']).toBe(200);
  });

  test('is ended, too, when it has been answered before', async () => {
    const stream = request(session(), { ...post, 'content-length': '100000' });
    const drip = setInterval(() => stream.write('x'), 50);
    const [answer] = (await once(stream.resume(), 'response')) as [IncomingHttpHeaders];
    expect(answer[':status']).toBe(413);
    if (!stream.closed) await once(stream, 'close');
    clearInterval(drip);
  });

  test('is not a request that came in time and has a long answer', async () => {
    const client = session();
    const whole = request(client, { ':path': '/live' }, true);
    // This client keeps its half of the stream open.
    const half = request(client, { ':path': '/live' });
    const texts = await Promise.all(
      [whole, half].map(async (stream) => {
        let text = '';
        for await (const chunk of stream.setEncoding('utf8')) {
          text += String(chunk);
          if (text.includes('later')) break;
        }
        return text;
      }),
    );
    expect(texts).toEqual(['first\nlater\n', 'first\nlater\n']);
    expect(slow).toBe(0);
  });
});

describe('a request over HTTP/2 with an incomplete body is not handled', () => {
  test.each([
    ['reset', reset(1, 8)],
    ['reset with an error', reset(1, 2)],
    ['reset without one', reset(1, 0)],
    ['lost with its connection', undefined],
  ])('after it was %s', async (_how, cut) => {
    const connection = await raw('h2');
    connection.send(Buffer.concat([PREFACE, postHead(1, '/take', { 'content-type': 'text/plain' })]));
    connection.send(data(1, 'half of it'));
    await expect.poll(() => seen.arriving).toBe(1);
    if (cut === undefined) connection.close();
    else connection.send(cut);
    await expect.poll(() => seen.over).toBe(1);
    const after = request(session(), post);
    after.end('whole');
    await once(after, 'response');
    expect(taken).toEqual(['whole']);
    connection.close();
  });
});

describe('a connection without a complete head', () => {
  test.each([
    ['that says nothing at all', Buffer.alloc(0), Buffer.alloc(0)],
    ['that says that it speaks HTTP/2', PREFACE, Buffer.alloc(0)],
    ['that pings', PREFACE, PING],
    ['that begins a head', Buffer.concat([PREFACE, HALF_HEAD]), Buffer.alloc(0)],
    ['whose head has no end', Buffer.concat([PREFACE, HALF_HEAD]), frame(9, 0, 1)],
    ['whose head comes a byte at a time', Buffer.concat([PREFACE, LARGE_HEAD.subarray(0, 9)]), ONE_FIELD],
  ])('over HTTP/2 %s is closed, and counted', async (_what, begin, again) => {
    const connection = await raw('h2');
    connection.send(begin);
    const drip = setInterval(() => again.length > 0 && connection.send(again), 200);
    await connection.ended;
    clearInterval(drip);
    connection.close();
    expect(slow).toBe(1);
  });

  test('over HTTP/1.1 is answered with 408, and counted', async () => {
    const connection = await raw('http/1.1');
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n');
    const drip = setInterval(() => connection.send('X: y\r\n'), 50);
    expect((await connection.answer()).status).toBe(408);
    clearInterval(drip);
    await connection.ended;
    connection.close();
    expect(slow).toBe(1);
  });

  test('without a complete handshake is closed, and counted', async () => {
    const socket = connectTcp(port, '127.0.0.1');
    await once(socket, 'connect');
    const connection = new RawConnection(socket);
    connection.send(Buffer.from([0x16, 0x03, 0x01]));
    await connection.ended;
    await expect.poll(() => slow).toBe(1);
  });

  test('is not a connection that has had a request, which may wait for the next one', async () => {
    const client = session();
    await once(request(client, { ':path': '/' }, true).resume(), 'close');
    const late = session();
    // The close of the late connection shows that the time has passed.
    await once(late, 'close');
    expect(slow).toBe(1);
    const [answer] = (await once(request(client, { ':path': '/' }, true), 'response')) as [
      IncomingHttpHeaders,
    ];
    expect(answer[':status']).toBe(200);
  });
});

test('over HTTP/1.1 a body that takes too long is answered with 408', async () => {
  const connection = await raw('http/1.1');
  connection.send(
    'POST /take HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n',
  );
  const drip = setInterval(() => connection.send('x'), 50);
  expect((await connection.answer()).status).toBe(408);
  clearInterval(drip);
  await connection.ended;
  connection.close();
  expect(slow).toBe(1);
});

test('a session without a request is closed after its idle time, whatever frames it sends', async () => {
  const idle = new TlsServer(identity);
  const limits = { maxHeaderBytes: 16_384, headTimeout: 60_000, requestTimeout: 60_000 };
  const listening = idle.create((_request, response) => response.end('hello'), {
    ...limits,
    checkInterval: 50,
    keepAliveTimeout: 500,
    onSlow: () => slow++,
  });
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  ({ port } = listening.address() as AddressInfo);
  const connection = await raw('h2');
  connection.send(Buffer.concat([PREFACE, postHead(1, '/', {}), frame(0, 1, 1)]));
  await connection.until('hello');
  const pings = setInterval(() => connection.send(PING), 50);
  await connection.ended;
  clearInterval(pings);
  connection.close();
  // A part of the next request's head does not keep it open, either.
  const other = await raw('h2');
  other.send(Buffer.concat([PREFACE, postHead(1, '/', {}), frame(0, 1, 1)]));
  await other.until('hello');
  other.send(LARGE_HEAD.subarray(0, 9));
  const drip = setInterval(() => other.send(ONE_FIELD), 50);
  await other.ended;
  clearInterval(drip);
  other.close();
  // Both sessions have had a request, so neither counts as slow.
  expect(slow).toBe(0);
  listening.close();
});
