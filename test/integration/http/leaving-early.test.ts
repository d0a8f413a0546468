import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { KeyServer } from '../../support/key-server.ts';
import { RawConnection, openRaw, requestBytes } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { inSeconds, signTokenWith } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const claims = { exp: inSeconds(3_600), sluice: { subscribe: ['news'], publish: ['news'] } };
const token = signTokenWith(claims, privateKey, { kid: 'a' });
const PATH = `/events/news?token=${token}`;
const SUBSCRIBE = requestBytes({ path: PATH });
const PUBLISH = requestBytes({
  method: 'POST',
  path: '/publish/news',
  headers: [`Authorization: Bearer ${token}`, 'Content-Length: 1'],
  body: 'x',
});

/** What a reader sends before its FIN. A stream would be the last answer. */
const CONVERSATIONS = {
  'a subscription': SUBSCRIBE,
  'a subscription, and half a request': joined(SUBSCRIBE, 'GET /liv'),
  'a subscription, and half a body': joined(
    SUBSCRIBE,
    'POST /publish/news HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx',
  ),
  'a subscription, and a whole request': joined(SUBSCRIBE, requestBytes({ path: '/livez' })),
  'a subscription, and no HTTP': joined(SUBSCRIBE, 'no HTTP\r\n\r\n'),
  'two subscriptions, and half a request': joined(SUBSCRIBE, SUBSCRIBE, 'GET /liv'),
  'too many subscriptions, and half a request': joined(...Array<Buffer>(100).fill(SUBSCRIBE), 'GET /liv'),
  'a publish, a subscription, and half a request': joined(PUBLISH, SUBSCRIBE, 'GET /liv'),
};

const authority = createAuthority();
const identity = authority.issue();
const TLS = { SLUICE_TLS_CERT: identity.cert, SLUICE_TLS_KEY: identity.key };

let keys: KeyServer;
let broker: Broker;
beforeAll(() => trustAuthority(authority));
beforeEach(() => {
  keys = new KeyServer();
});
afterEach(async () => {
  await broker.kill();
  await keys.stop();
});

/** The broker opens no stream before the key server answers. No heartbeat finds out that a reader has left. */
async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  broker = await startBroker({ SLUICE_JWKS_URL: await keys.listen(), SLUICE_HEARTBEAT: '1h', ...env });
}

/**
 * Has the key server answer, and waits until a reader that came last has its stream. By then the broker has decided about
 * every stream that was requested before.
 */
async function openLast(): Promise<void> {
  const opening = openStream(`${broker.url}${PATH}`);
  // Its answer comes after the broker has seen all that was sent before.
  await fetch(`${broker.url}/livez`);
  keys.give({ ...publicKey.export({ format: 'jwk' }), kid: 'a' });
  keys.release();
  await (await opening).until('sluice:ready');
}

/** The stream of the last reader is the only one that the broker has opened, and is open. */
async function expectOneStream(): Promise<void> {
  await expect.poll(async () => (await readMetrics(broker.url)).get('sluice_connections')).toBe(1);
  expect((await readMetrics(broker.url)).get('sluice_connections_opened_total')).toBe(1);
}

async function openTls(port: number): Promise<RawConnection> {
  const socket = connectTls({ port, host: '127.0.0.1', ALPNProtocols: ['http/1.1'] });
  await once(socket, 'secureConnect');
  return new RawConnection(socket);
}

test.each([
  ['HTTP/1.1', {}, openRaw],
  ['HTTP/1.1 with TLS', TLS, openTls],
])('no stream is opened for a reader that has left, over %s', async (_protocol, env, open) => {
  await start(env);
  const left = new Set(Object.keys(CONVERSATIONS));
  const leave = async ([name, bytes]: [string, Buffer]): Promise<void> => {
    const reader = await open(broker.port);
    void reader.ended.then(() => left.delete(name));
    reader.send(bytes);
    reader.finish();
  };
  await Promise.all(Object.entries(CONVERSATIONS).map(leave));
  await openLast();
  // The broker has closed their connections.
  await expect.poll(() => [...left]).toEqual([]);
  await expectOneStream();
});

test('the answer before the stream still arrives', async () => {
  await start();
  const reader = await openRaw(broker.port);
  reader.send(CONVERSATIONS['a publish, a subscription, and half a request']);
  reader.finish();
  await openLast();
  await reader.ended;
  expect(reader.text.match(/^HTTP.*/gm)).toEqual(['HTTP/1.1 200 OK']);
});

test('no stream is opened for a reader that has left, over HTTP/2', async () => {
  await start(TLS);
  const [one, other] = [await openHttp2(broker.url), await openHttp2(broker.url)];
  const stream = one.request({ ':path': PATH });
  other.request({ ':path': PATH }).on('error', () => undefined);
  await Promise.all([pong(one), pong(other)]);
  stream.close();
  other.destroy();
  await pong(one);
  await openLast();
  await expectOneStream();
  one.destroy();
});

async function openHttp2(url: string): Promise<ClientHttp2Session> {
  const session = connectHttp2(url);
  await once(session, 'connect');
  return session;
}

/** The broker answers after it has read what was sent before. */
async function pong(session: ClientHttp2Session): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    session.ping((error) => (error === null ? resolve() : reject(error)));
  });
}

function joined(...parts: readonly (Buffer | string)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

test('a page whose connection is cut before its first byte is no error of the broker', async () => {
  broker = await startBroker();
  // Node cuts a connection with CONNECT at once, while the file of the page is still being opened.
  const bytes = joined(requestBytes({ path: '/' }), 'CONNECT a:1 HTTP/1.1\r\n\r\n');
  for (let i = 0; i < 50; i++) {
    const client = await openRaw(broker.port);
    client.send(bytes);
    await client.ended;
  }
  // By then the files above were opened, too.
  expect((await fetch(broker.url)).status).toBe(200);
  await broker.stop();
  expect(broker.log().filter((line) => /"level":[56]0/.test(line))).toEqual([]);
});
