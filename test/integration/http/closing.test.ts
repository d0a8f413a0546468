import { afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { closingOf } from '../../support/closing.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { openRaw, readChunks, requestBytes } from '../../support/raw-http.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of at least thirty-two bytes';
const LAST_CHUNK = '\r\n0\r\n\r\n';

let broker: Broker | undefined;
afterEach(async () => {
  await broker?.kill();
  broker = undefined;
});

async function start(settings: Record<string, string> = {}): Promise<Broker> {
  broker = await startBroker({ SLUICE_RETRY: '4s', ...settings });
  return broker;
}

describe('a stream that the broker ends has its reason, the position and a complete body', () => {
  test('at its maximum age', async () => {
    const { url } = await start({ SLUICE_MAX_CONNECTION_AGE: '1s' });
    const id = await (broker as Broker).publish('news', 'x');
    const stream = await openStream(`${url}/events/news`);
    expect(await closingOf(stream)).toMatchObject({ reason: 'age', id });
    expect(stream.complete).toBe(true);
  });

  test('when its token expires', async () => {
    const { url } = await start({ SLUICE_JWT_SECRET: SECRET, SLUICE_JWT_CLOCK_TOLERANCE: '0s' });
    const token = signToken({ exp: inSeconds(2), sluice: { subscribe: ['*'] } }, SECRET);
    const stream = await openStream(`${url}/events/news?token=${token}`);
    expect(await closingOf(stream)).toMatchObject({ reason: 'expired', id: '0-0' });
    expect(stream.complete).toBe(true);
  });

  test('after a disconnect, also over HTTP/1.0, where the body ends with the connection', async () => {
    const { port } = await start();
    const connection = await openRaw(port);
    connection.send('GET /events/news HTTP/1.0\r\n\r\n');
    await connection.until('}}\n\n');
    await publishRaw(broker as Broker, { path: '/disconnect', body: '{"channel":"news"}' });
    await connection.ended;
    expect(connection.text).toMatch(
      /\n\nretry: (\d+)\nid: 0-0\nevent: sluice:closing\ndata: \{"reason":"disconnected","retry":\1\}\n\n$/,
    );
  });

  test('with the last chunk, and nothing after it', async () => {
    const { port } = await start({ SLUICE_MAX_CONNECTION_AGE: '1s' });
    const connection = await openRaw(port);
    connection.send(requestBytes({ path: '/events/news' }));
    await connection.ended;
    expect(connection.text.endsWith(LAST_CHUNK)).toBe(true);
    expect(readChunks(connection.text)).toMatch(/"reason":"age","retry":\d+\}\n\n$/);
  });
});

describe('a stream that is cut has an incomplete body, so that the client can tell', () => {
  test('because the broker was killed', async () => {
    const { url } = await start();
    const stream = await openStream(`${url}/events/news`);
    await stream.until('sluice:ready');
    await (broker as Broker).kill();
    await stream.ended;
    expect([stream.complete, stream.text.includes('sluice:closing')]).toEqual([false, false]);
  });

  test('because its client took nothing for too long', async () => {
    const { port, url } = await start({ SLUICE_STALL_TIMEOUT: '500ms' });
    const connection = await openRaw(port);
    connection.send(requestBytes({ path: '/events/news' }));
    await connection.until('sluice:ready');
    connection.pause();
    const open = async (): Promise<string> =>
      (await (await fetch(`${url}/metrics`)).text()).match(/^sluice_connections (\d+)/m)?.[1] ?? '';
    while ((await open()) === '1') await (broker as Broker).publish('news', 'x'.repeat(500_000));
    connection.resume();
    await connection.ended;
    expect(connection.text.endsWith(LAST_CHUNK)).toBe(false);
    expect(connection.text).not.toContain('sluice:closing');
  });
});

describe('a stream that is refused for a passing reason returns the cursor of the request', () => {
  test.each([
    ['in the header', '', { 'last-event-id': '7-1' }, '7-1'],
    ['in the query', '?lastEventId=7-2', {}, '7-2'],
    ['but no text that is not an id', '', { 'last-event-id': 'what?' }, undefined],
    ['and no word such as earliest', '?last_event_id=earliest', {}, undefined],
    ['and no id for a request without a cursor', '', {}, undefined],
  ])('%s', async (_where, query, headers, id) => {
    const { url } = await start({ SLUICE_MAX_CONNECTIONS: '1' });
    const first = await openStream(`${url}/events/news`);
    const stream = await openStream(`${url}/events/news${query}`, { headers });
    expect(await closingOf(stream)).toMatchObject({ reason: 'limit', id });
    expect(stream.complete).toBe(true);
    first.close();
  });
});
