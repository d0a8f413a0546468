import { once } from 'node:events';
import { connect } from 'node:http2';
import type { IncomingHttpHeaders } from 'node:http2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { createAuthority } from '../../support/certificates.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer, RawRequest } from '../../support/raw-http.ts';
import { openStream } from '../../support/sse-reader.ts';
import { trustAuthority } from '../../support/trust-authority.ts';

const SETTINGS = {
  SLUICE_HEADERS: JSON.stringify({ 'Timing-Allow-Origin': '*', 'X-Region': 'eu-1', 'Set-Cookie': 'lb=3' }),
  SLUICE_PUBLIC_CHANNELS: 'news,sport',
  SLUICE_CORS_ORIGINS: 'https://app.example.com',
  SLUICE_MAX_CONNECTIONS_PER_IP: '3',
};
const EXPECTED = { timing: '*', region: 'eu-1', cookie: 'lb=3' };

const ownHeaders = (answer: RawAnswer): object => ({
  timing: answer.header('timing-allow-origin'),
  region: answer.header('x-region'),
  cookie: answer.header('set-cookie'),
});

describe('SLUICE_HEADERS over HTTP/1.1', () => {
  let broker: Broker;
  beforeAll(async () => {
    broker = await startBroker(SETTINGS);
  });
  afterAll(() => broker.kill());

  test.each([
    ['GET', '/events/news', 'a stream'],
    ['HEAD', '/events/news', 'a stream that is only asked about'],
    ['GET', '/events?channel=news&channel=sport', 'a stream of many channels'],
    ['HEAD', '/events?channel=news', 'such a stream that is only asked about'],
  ])('are on %s %s: %s', async (method, path) => {
    const connection = await openRaw(broker.port);
    connection.send(requestBytes({ method, path, headers: ['Origin: https://app.example.com'] }));
    const answer = await connection.answer(method);
    connection.close();
    expect(answer.status).toBe(200);
    expect(ownHeaders(answer)).toEqual(EXPECTED);
    // The broker's own headers stay beside them.
    expect(answer.header('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(answer.header('access-control-allow-origin')).toBe('https://app.example.com');
    expect(answer.header('vary')).toBe('Origin, Accept-Encoding');
  });

  test('are on an answer that asks the subscriber to come back', async () => {
    const streams = await Promise.all([1, 2, 3].map(() => openStream(`${broker.url}/events/news`)));
    const answer = await exchange(broker.port, { path: '/events/news' });
    for (const stream of streams) stream.close();
    expect(answer.body).toContain('address-limit');
    expect(ownHeaders(answer)).toEqual(EXPECTED);
  });

  test.each<[what: string, status: number, path: string]>([
    ['a bad channel name', 400, '/events/a%20b'],
    ['a bad query', 400, '/events/news?last=x'],
    ['no channel', 400, '/events'],
    ['a channel that is not public', 401, '/events/secret'],
    ['one of many that is not public', 401, '/events?channel=news&channel=secret'],
  ])('are on the problem of these routes: %s', async (_what, status, path) => {
    const answer = await exchange(broker.port, { path });
    expect(answer.status).toBe(status);
    expect(answer.header('content-type')).toBe('application/problem+json');
    expect(ownHeaders(answer)).toEqual(EXPECTED);
  });

  test.each<[what: string, status: number, request: () => RawRequest]>([
    ['a publish in the lane', 200, () => publishRequest(broker, { path: '/publish/news', body: 'x' })],
    ['a publish without a key', 401, () => ({ method: 'POST', path: '/publish/news' })],
    ['the console', 200, () => ({ path: '/' })],
    ['health', 200, () => ({ path: '/livez' })],
    ['an unknown path', 404, () => ({ path: '/nothing' })],
  ])('are not on any other answer: %s', async (_what, status, request) => {
    const answer = await exchange(broker.port, request());
    expect(answer.status).toBe(status);
    expect(ownHeaders(answer)).toEqual({});
  });
});

test('SLUICE_HEADERS are on streams and problems over HTTP/2', async () => {
  const authority = createAuthority();
  trustAuthority(authority);
  const { cert, key } = authority.issue();
  const broker = await startBroker({ ...SETTINGS, SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key });
  const session = connect(broker.url);
  const ask = async (path: string): Promise<IncomingHttpHeaders> => {
    const stream = session.request({ ':path': path });
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    stream.resume();
    return headers;
  };
  try {
    const answers = await Promise.all(['/events/news', '/events?channel=news', '/events/secret'].map(ask));
    expect(answers.map((headers) => headers[':status'])).toEqual([200, 200, 401]);
    for (const headers of answers)
      expect(headers).toMatchObject({
        'timing-allow-origin': '*',
        'x-region': 'eu-1',
        'set-cookie': ['lb=3'],
      });
  } finally {
    session.destroy();
    await broker.kill();
  }
});
