import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { connect, shareTabs } from '../../client/src/index.ts';
import type { ConnectOptions, SluiceClient, Status } from '../../client/src/index.ts';
import { dataFolder, startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { ClientReader } from '../support/client-reader.ts';
import { hurryTimers } from '../support/hurry-timers.ts';
import { startScriptedServer } from '../support/scripted-server.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

/** The client's timers run so many times faster: a silence of 10 s takes 2 s. */
const HASTE = 5;
/** More often than the hasty client needs. */
const ENV = { SLUICE_PUBLIC_CHANNELS: '*', SLUICE_RETRY: '500ms', SLUICE_HEARTBEAT: '1s' };

let broker: Broker;
let relay: TcpRelay;
let client: SluiceClient | undefined;
beforeAll(async () => {
  broker = await startBroker(ENV);
});
beforeEach(async () => {
  relay = await startTcpRelay(broker.port);
});
afterEach(async () => {
  client?.close();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await relay.close();
});
afterAll(() => broker.stop());

function follow(url: string, channel: string, options: ConnectOptions = {}): ClientReader {
  client = connect(url, options);
  const reader = new ClientReader();
  client.subscribe(channel, reader.options);
  return reader;
}

async function publishSome(channel: string, from: number, to = broker): Promise<void> {
  for (let n = from; n < from + 10; n++) await to.publish(channel, String(n));
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, n) => String(n));
}

test('a connection that is cut: every event comes once', async () => {
  const reader = follow(relay.url, 'cut');
  await reader.ready();
  for (let cuts = 0; cuts < 4; cuts++) {
    await publishSome('cut', cuts * 10);
    relay.cut();
  }
  await reader.heard('39');
  expect(reader.texts).toEqual(numbers(40));
  expect(reader.gaps).toEqual([]);
});

test('a network that drops everything without a sign is noticed by its silence', async () => {
  hurryTimers(HASTE);
  const statuses: Status[] = [];
  const reader = follow(relay.url, 'mute', { onStatus: (status) => statuses.push(status) });
  await reader.ready();
  await publishSome('mute', 0);
  await reader.heard('9');
  relay.abandonOpen();
  await publishSome('mute', 10);
  await reader.ready(2);
  expect(reader.texts).toEqual(numbers(20));
  expect(statuses.slice(0, 3)).toEqual(['connecting', 'live', 'connecting']);
});

test('a proxy that holds answers back until they are complete: the client polls at the same cursor', async () => {
  hurryTimers(HASTE);
  const proxy = await startScriptedServer((request, response) => void holdBack(request, response));
  const reader = follow(proxy.url, 'held');
  await expect.poll(() => proxy.requests.at(-1), { timeout: 10_000 }).toContain('wait=20s');
  await broker.publish('held', '0');
  // A poll without a position begins live: the first answer tells where.
  await reader.ready();
  expect(client?.status).toBe('polling');
  await publishSome('held', 1);
  await reader.heard('10');
  expect(reader.texts.slice(-10)).toEqual(numbers(11).slice(1));
  await proxy.close();
});

async function holdBack(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const left = new AbortController();
  response.on('close', () => left.abort());
  try {
    const answer = await fetch(broker.url + (request.url ?? ''), { signal: left.signal });
    const body = await answer.text();
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(body);
  } catch {
    response.destroy();
  }
}

test('a broker that is killed and started again', async () => {
  hurryTimers(HASTE);
  const folder = await dataFolder();
  const first = await startBroker({ ...ENV, SLUICE_DATA_DIR: folder.path });
  const reader = follow(first.url, 'killed');
  await reader.ready();
  await publishSome('killed', 0, first);
  await first.kill();
  const second = await startBroker({ ...ENV, SLUICE_DATA_DIR: folder.path, PORT: String(first.port) });
  await publishSome('killed', 10, second);
  await reader.heard('19');
  expect(reader.texts).toEqual(numbers(20));
  expect(reader.gaps).toEqual([]);
  await second.kill();
  await folder.remove();
});

test.each<[string, ConnectOptions]>([
  ['alone', {}],
  ['in two tabs', { share: shareTabs({ group: 'anew' }) }],
])('a log that begins anew is a gap also beside a subscription at its beginning (%s)', async (_, options) => {
  const first = await startBroker(ENV);
  const reader = follow(first.url, 'anew', options);
  await reader.ready();
  await first.publish('anew', 'old');
  await reader.heard('old');
  await first.kill();
  const other = options.share ? connect(first.url, options) : client;
  const beside = new ClientReader();
  other?.subscribe('anew', { ...beside.options, after: '0-0' });
  const second = await startBroker({ ...ENV, PORT: String(first.port) });
  await second.publish('anew', 'new');
  await Promise.all([reader.heard('new'), beside.heard('new')]);
  other?.close();
  expect(reader.gaps.length).toBe(1);
  expect(reader.texts).toEqual(['old', 'new']);
  expect([beside.texts, beside.gaps]).toEqual([['new'], []]);
  await second.kill();
});

test.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
  ['500', (_request, response) => response.writeHead(500).end('oh')],
  ['429', (_request, response) => response.writeHead(429).end()],
  [
    'a page',
    (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>log in</p>'),
  ],
  ['nothing', (request) => request.socket.resetAndDestroy()],
  [
    'half a stream',
    (_request, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: '),
  ],
])('a server that answers with %s is asked again', async (_what, answer) => {
  hurryTimers(HASTE);
  const server = await startScriptedServer(answer);
  const reader = follow(server.url, 'again');
  await server.asked(2);
  server.answer = (request, response) =>
    response.writeHead(307, { location: broker.url + request.url }).end();
  await reader.ready();
  await broker.publish('again', 'through a redirect');
  await reader.heard('through a redirect');
  expect(reader.errors).toEqual([]);
  await server.close();
});

test('a broker below a path', async () => {
  const server = await startScriptedServer((request, response) => {
    expect(request.url).toMatch(/^\/base\/path\/events\?/);
    const location = broker.url + (request.url ?? '').slice('/base/path'.length);
    response.writeHead(307, { location }).end();
  });
  await follow(`${server.url}/base/path/`, 'below').ready();
  await server.close();
});

test('an address that is no broker is refused', async () => {
  const reader = follow(`${broker.url}/nowhere`, 'nowhere');
  await reader.until(() => reader.errors.length > 0);
  expect(reader.errors[0]).toMatchObject({ code: 'refused', status: 404 });
  expect(client?.status).toBe('closed');
});

test('an answer that asks for a pause is given it', async () => {
  const waits: number[] = [];
  const unhurried = setTimeout;
  vi.stubGlobal('setTimeout', (run: () => void, ms = 0, ...rest: []) => {
    waits.push(ms);
    return unhurried(run, ms === 7_777 ? 0 : ms, ...rest);
  });
  let answers = 0;
  const server = await startScriptedServer((request, response) => {
    if (answers++ > 0) response.writeHead(307, { location: broker.url + request.url }).end();
    else {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('retry: 7777\nevent: sluice:closing\ndata: {"reason":"limit","retry":7777}\n\n');
    }
  });
  const reasons: string[] = [];
  await follow(server.url, 'paused', { onClosing: (reason) => reasons.push(reason) }).ready();
  expect(reasons).toEqual(['limit']);
  expect(waits).toContain(7_777);
  await server.close();
});

test('a server that asks for no pause gets one', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  const waits: number[] = [];
  const unhurried = setTimeout;
  vi.stubGlobal('setTimeout', (run: () => void, ms = 0, ...rest: []) => {
    waits.push(ms);
    return unhurried(run, ms < 5_000 ? 0 : ms, ...rest);
  });
  const server = await startScriptedServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('retry: 0\nevent: sluice:closing\ndata: {"reason":"limit","retry":0}\n\n');
  });
  follow(server.url, 'hasty');
  await server.asked(5);
  expect(waits).toEqual(expect.arrayContaining([250, 500, 1_000, 2_000]));
  await server.close();
});
