import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AllowedOrigins } from '../../../src/auth/allowed-origins.ts';
import { CredentialGuard } from '../../../src/auth/credential-guard.ts';
import { FailedAttempts } from '../../../src/auth/failed-attempts.ts';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import { PublisherAccess } from '../../../src/auth/publisher-access.ts';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import type { EventId, NewEvent } from '../../../src/events/event.ts';
import { createHttpServer } from '../../../src/http/http-server.ts';
import { TlsServer } from '../../../src/http/tls-server.ts';
import { Publisher } from '../../../src/publish/publisher.ts';
import { publishRoutes } from '../../../src/routes/publish.ts';
import { createAuthority } from '../../support/certificates.ts';
import { RawConnection } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';

// An upload may take longer than any other request, and is ended when nothing of it comes for some time.

/** How long any other request may take, in ms. */
const REQUEST_MS = 200;
/** How long an upload may send nothing, in ms. */
const SILENCE_MS = 600;

const identity = createAuthority().issue();
let tls: TlsServer;
let server: FastifyInstance;
let port: number;
let appended: NewEvent[];
/** Called at each append. */
let onAppend: () => void;
/** An append waits for this. */
let logBusy: Promise<void>;

beforeEach(async () => {
  appended = [];
  onAppend = () => undefined;
  logBusy = Promise.resolve();
  tls = new TlsServer(identity);
  const attempts = new FailedAttempts({ limit: Infinity, window: 0 });
  const guard = new CredentialGuard({ attempts, onFailed: () => undefined, onTooMany: () => undefined });
  const loop = new FairLoop();
  const publisher = new Publisher({
    log: {
      async append(_channel, events) {
        onAppend();
        await logBusy;
        appended.push(...events);
        return events.map((_event, i) => ({ id: `1-${i}` as EventId, replayed: false }));
      },
      checkKeys: () => Promise.resolve(),
    },
    policies: { historyOf: () => ({ size: 1, ttl: 1 }), isLatest: () => false },
    credentials: new PublisherAccess({ keys: new PublishKeys(['key']), verifier: undefined, guard }),
    revocations: { refuses: () => false },
    limiter: { isOff: true, count: () => undefined },
    subscribed: { list: () => Promise.reject(new Error('not asked')) },
    loop,
    maxBodyBytes: 1_000_000,
    instruments: { published: () => undefined },
    tracer: undefined,
  });
  server = await createHttpServer({
    logger: pino({ level: 'silent' }),
    tls,
    maxBodyBytes: 1_000_000,
    maxHeaderBytes: 16_384,
    headTimeout: REQUEST_MS,
    requestTimeout: REQUEST_MS,
    trustedProxies: [],
    corsOrigins: new AllowedOrigins([]),
    onRequestRefused: () => undefined,
    routes: async (app) => {
      await app.register(publishRoutes, { publisher, loop, uploadSilence: SILENCE_MS });
    },
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = server.server.address() as AddressInfo);
});
afterEach(async () => {
  tls.closeAllConnections();
  await server.close();
});

/** An upload whose answer a test waits for. */
interface Sent {
  write(part: string): void;
  end(): void;
  answer(): Promise<{ readonly status: number; readonly body: string }>;
}

async function openConnection(): Promise<RawConnection> {
  const socket = connectTls({
    port,
    host: '127.0.0.1',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  return new RawConnection(socket);
}

async function overHttp1(): Promise<Sent> {
  const connection = await openConnection();
  connection.send(
    'POST /publish/a?each=line HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  return {
    write: (part) => connection.send(`${part.length.toString(16)}\r\n${part}\r\n`),
    end: () => connection.send('0\r\n\r\n'),
    answer: () => connection.answer('POST'),
  };
}

async function overHttp2(): Promise<Sent> {
  const session: ClientHttp2Session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/publish/a?each=line',
    authorization: 'Bearer key',
  });
  stream.on('error', () => undefined);
  let status = 0;
  let body = '';
  stream.on('response', (head) => (status = Number(head[':status'])));
  stream.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
  return {
    write: (part) => void stream.write(part),
    end: () => void stream.end(),
    async answer() {
      if (!stream.closed) await once(stream, 'close');
      session.destroy();
      return { status, body };
    },
  };
}

describe.each([
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
])('over %s', (_protocol, open) => {
  test('an upload may take longer than any other request', async () => {
    const sent = await open();
    const until = performance.now() + 5 * REQUEST_MS;
    let lines = 0;
    while (performance.now() < until) {
      const { promise, resolve } = Promise.withResolvers<void>();
      onAppend = resolve;
      sent.write(`${lines++}\n`);
      await promise;
    }
    sent.end();
    const { status, body } = await sent.answer();
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ published: lines })]);
    expect(appended.map(({ data }) => Number(data))).toEqual(appended.map((_, i) => i));
  });

  test('an upload of which nothing comes is answered with 408, and its complete lines are published', async () => {
    const sent = await open();
    sent.write('a\nb');
    const { status, body } = await sent.answer();
    expect([status, JSON.parse(body)]).toEqual([
      408,
      expect.objectContaining({ type: 'urn:sluice:problem:request-timeout', published: 1 }),
    ]);
    expect(appended.map(({ data }) => data)).toEqual(['a']);
  });

  test('while the log lags, the upload does not count as silent', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    logBusy = promise;
    const asked = Promise.withResolvers<void>();
    onAppend = asked.resolve;
    const sent = await open();
    const lines = `${'x'.repeat(999)}\n`.repeat(1_000);
    sent.write(lines);
    await asked.promise;
    for (let i = 1; i < 30; i++) sent.write(lines);
    sent.end();
    setTimeout(resolve, 2 * SILENCE_MS);
    const { status, body } = await sent.answer();
    expect([status, JSON.parse(body)]).toEqual([200, expect.objectContaining({ published: 30_000 })]);
    expect(appended).toHaveLength(30_000);
  });
});

test('a body that is no upload has to arrive in time', async () => {
  const connection = await openConnection();
  connection.send(
    'POST /publish/a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer key\r\nContent-Length: 9\r\n\r\nhalf',
  );
  expect(readProblem(await connection.answer('POST'), 408).code).toBe('request-timeout');
  connection.close();
});
