import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { createAuthority } from '../support/certificates.ts';
import { readUntil } from '../support/idle-socket.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { openHttp2Stream } from '../support/sse-reader.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import { trustAuthority } from '../support/trust-authority.ts';

const LARGE = 'x'.repeat(64 * 1024);
const WINDOW = 2 ** 30;
const STALLED = 'sluice_connections_closed_total{reason="stalled"}';

const authority = createAuthority();
let broker: Broker;
beforeAll(() => trustAuthority(authority));
beforeEach(async () => {
  const { cert, key } = authority.issue();
  broker = await startBroker({
    SLUICE_TLS_CERT: cert,
    SLUICE_TLS_KEY: key,
    SLUICE_ADMIN_PORT: '0',
    SLUICE_STALL_TIMEOUT: '1s',
    SLUICE_HISTORY_SIZE: '10000',
  });
});
afterEach(() => broker.kill());

const metric = async (name: string): Promise<number> =>
  (await readMetrics(broker.adminUrl ?? '')).get(name) ?? NaN;

/** The open files of the broker, with the connections of the test itself. */
async function openFiles(): Promise<number> {
  await broker.publish('elsewhere', 'x');
  return await metric('process_open_fds');
}

async function publishMany(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i++) ids.push(await broker.publish('news', `${i} ${LARGE}`));
  return ids;
}

const idsIn = (text: string): string[] =>
  [...text.matchAll(/^id: (\d+-\d+)\ndata/gm)].map(([, id = '']) => id);

describe('over HTTP/2', () => {
  let session: ClientHttp2Session;
  beforeEach(() => {
    session = connectHttp2(broker.url);
  });
  afterEach(() => session.destroy());

  test('a stream whose window never opens is reset; the other streams of its connection go on', async () => {
    const stalled = session.request({ ':path': '/events/news' });
    await once(stalled, 'response');
    const closed = once(stalled, 'close');
    const other = await openHttp2Stream(session, '/events/news');
    await other.until('sluice:ready');
    const ids = await publishMany(20);
    await expect.poll(() => metric(STALLED)).toBe(1);
    await closed;
    expect(stalled.rstCode).not.toBe(0);
    await other.when(({ events }) => events.at(-1)?.id === ids.at(-1));
    expect(other.events.slice(1).map(({ id }) => id)).toEqual(ids);
    expect(await metric('sluice_connections')).toBe(1);
    // The buffer of one reader is bounded, too.
    expect(await metric('sluice_buffered_bytes')).toBe(0);
  });

  test('a reader that opens its window bit by bit is slow, and gets everything', async () => {
    const ids = await publishMany(12);
    const slow = session.request({ ':path': '/events/news?last_event_id=earliest' });
    // One page from the log takes longer than the stall time-out. The reader is not stalled, because it takes
    // something.
    const text = await readSlowly(slow, 'sluice:ready', 150);
    expect(idsIn(text)).toEqual(ids);
    expect(await metric(STALLED)).toBe(0);
  });

  test('a connection whose network drops everything without a sign is closed with all its streams', async () => {
    const relay = await startTcpRelay(broker.port);
    const files = await openFiles();
    // The windows are so large that TCP fills up first. Then even a reset of a stream does not get through.
    const dead = connectHttp2(relay.url.replace('http:', 'https:'), {
      settings: { initialWindowSize: WINDOW },
    });
    await once(dead, 'connect');
    dead.setLocalWindowSize(WINDOW);
    for (let i = 0; i < 3; i++) {
      const stream = await openHttp2Stream(dead, '/events/news');
      await stream.until('sluice:ready');
    }
    relay.goDumb();
    await publishMany(150);
    await expect.poll(() => metric(STALLED)).toBe(3);
    expect(await metric('sluice_connections')).toBe(0);
    await expect.poll(() => metric('process_open_fds')).toBeLessThanOrEqual(files);
    dead.destroy();
    await relay.close();
  });
});

/** Reads 16 KiB at a time, with a pause after each. */
async function readSlowly(stream: ClientHttp2Stream, text: string, pause: number): Promise<string> {
  let all = '';
  stream.setEncoding('utf8');
  while (!all.includes(text)) {
    const chunk = (stream.read(16 * 1024) ?? stream.read()) as string | null;
    if (chunk === null) {
      await once(stream, 'readable');
      continue;
    }
    all += chunk;
    await delay(pause);
  }
  return all;
}

async function openIdle(path: string): Promise<TLSSocket> {
  const socket = connectTls({ port: broker.port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: sluice\r\n\r\n`);
  return socket;
}

describe('over HTTP/1.1 with TLS', () => {
  test('a reader that takes nothing is closed, and its buffer is freed', async () => {
    const files = await openFiles();
    const idle = await openIdle('/events/news');
    await expect.poll(() => metric('sluice_connections')).toBe(1);
    await publishMany(200);
    await expect.poll(() => metric(STALLED)).toBe(1);
    expect(await metric('sluice_connections')).toBe(0);
    await expect.poll(() => metric('process_open_fds')).toBeLessThanOrEqual(files);
    idle.destroy();
  });

  test('a slow reader that goes on reading is not closed', async () => {
    const idle = await openIdle('/events/news?last_event_id=0-0');
    const reading = readUntil(idle, 'data: the end\n', 3);
    const ids = await publishMany(200);
    ids.push(await broker.publish('news', 'the end'));
    expect(idsIn(await reading)).toEqual(ids);
    expect(await metric(STALLED)).toBe(0);
  });
});
