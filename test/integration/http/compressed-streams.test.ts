import { connect } from 'node:http2';
import { connect as dial } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { openHttp2Stream, openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';

const GZIP = { headers: { 'accept-encoding': 'gzip, deflate, br' } };
const DATA = 'each event of this channel has the same words, so that it can refer to the events before it';
const authority = createAuthority();
const { cert, key } = authority.issue();

let broker: Broker;
let secure: Broker;
beforeAll(async () => {
  trustAuthority(authority);
  [broker, secure] = await Promise.all([
    startBroker({ SLUICE_HEARTBEAT: '200ms', SLUICE_CORS_ORIGINS: 'https://app.example' }),
    startBroker({ SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key }),
  ]);
});
afterAll(() => Promise.all([broker?.kill(), secure?.kill()]));

/** Publishes, and expects each event at the reader before the next one. Then ends the channel. */
async function follow(stream: SseStream, on: Broker, channel: string): Promise<void> {
  expect(stream.headers['content-encoding']).toBe('gzip');
  if (!stream.events.some(({ event }) => event === 'sluice:ready'))
    await stream.when(({ text }) => text !== '');
  for (let n = 0; n < 10; n++) {
    await on.publish(channel, `${DATA} ${n}`);
    await stream.when(({ text }) => text.includes(`data: ${DATA} ${n}\n\n`));
  }
  const headers = { authorization: `Bearer ${on.key}` };
  await fetch(`${on.url}/publish/${channel}?close=true`, { method: 'POST', headers });
  await stream.ended;
  // The checksum is right, and the end is an end.
  expect(stream.complete).toBe(true);
  expect(stream.events.filter(({ data }) => data.startsWith(DATA))).toHaveLength(10);
}

describe('a client that takes gzip gets each event at once, and a proper end', () => {
  test.each([
    ['over HTTP/1.1', 'one', '/events/one'],
    ['in the plain form', 'two', '/events/two?plain'],
    ['when the HTTP server opens the stream', 'three', '/events/three?unknown=%20'],
    ['on many channels', 'four', '/events?channel=four&channel=ended'],
  ])('%s', async (_how, channel, path) => {
    const headers = { authorization: `Bearer ${broker.key}` };
    await fetch(`${broker.url}/publish/ended?close=true`, { method: 'POST', headers });
    await follow(await openStream(`${broker.url}${path}`, GZIP), broker, channel);
  });

  test('over TLS, with HTTP/1.1 and HTTP/2', async () => {
    await follow(await openStream(`${secure.url}/events/tls`, GZIP), secure, 'tls');
    const session = connect(secure.url);
    await follow(await openHttp2Stream(session, '/events/http2', GZIP), secure, 'http2');
    session.destroy();
  });

  test('over HTTP/1.0', async () => {
    const id = await broker.publish('old', DATA);
    const socket = dial(broker.port, '127.0.0.1');
    socket.write('GET /events/old?wait=0s&last_event_id=earliest HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n');
    const bytes = await buffer(socket);
    const text = gunzipSync(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)).toString();
    expect(text).toContain(`id: ${id}\ndata: ${DATA}\n\n`);
  });
});

describe('the head of a stream', () => {
  test.each([
    ['gzip', true],
    ['GZIP;q=0.5, br', true],
    ['x-gzip', true],
    ['*', true],
    ['identity;q=0', false],
    ['identity;q=0, *', true],
    ['gzip;q=0', false],
    ['gzip;q=0, *', false],
    ['gzip;q=0.3, identity;q=0.8', false],
    ['br, deflate, zstd', false],
    ['', false],
    ['gzip;level=9', false],
  ])('with Accept-Encoding: %s', async (accepted, compressed) => {
    const answer = await fetch(`${broker.url}/events/head`, {
      method: 'HEAD',
      headers: { 'accept-encoding': accepted, origin: 'https://app.example' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-encoding')).toBe(compressed ? 'gzip' : null);
    expect(answer.headers.get('vary')).toBe('Origin, Accept-Encoding');
    const headers = { 'accept-encoding': accepted };
    const stream = await openStream(`${broker.url}/events/head`, { headers });
    expect(stream.headers['content-encoding']).toBe(compressed ? 'gzip' : undefined);
    expect(stream.headers.vary).toBe('Origin, Accept-Encoding');
    await stream.until('sluice:ready');
    stream.close();
  });

  test('says nothing of codings with SLUICE_COMPRESSION=off', async () => {
    const plain = await startBroker({ SLUICE_COMPRESSION: 'off' });
    const stream = await openStream(`${plain.url}/events/news`, GZIP);
    expect(stream.headers).not.toHaveProperty('content-encoding');
    expect(stream.headers).not.toHaveProperty('vary');
    await stream.until('sluice:ready');
    stream.close();
    await plain.kill();
  });
});

test('heartbeats come between compressed events, and the metrics count bytes before and after', async () => {
  const stream = await openStream(`${broker.url}/events/counted`, GZIP);
  await stream.until('sluice:ready');
  const before = stream.comments.length;
  for (let n = 0; n < 40; n++) await broker.publish('counted', `${DATA} ${n}`);
  await stream.when(({ comments, text }) => comments.length > before && text.includes(`${DATA} 39`));
  const metrics = await readMetrics(broker.url);
  const plain = metrics.get('sluice_compressed_stream_bytes_total{form="plain"}') ?? 0;
  const sent = metrics.get('sluice_compressed_stream_bytes_total{form="sent"}') ?? 0;
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(plain);
  expect(metrics.get('sluice_compressions_total')).toBeGreaterThan(0);
  stream.close();
});
