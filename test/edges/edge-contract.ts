import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Broker } from '../support/broker.ts';
import { startEdge } from '../support/edge.ts';
import type { Edge, EdgeOptions } from '../support/edge.ts';
import { edgeTraits } from '../support/edge-programs.ts';
import type { EdgeName } from '../support/edge-programs.ts';
import { closingOf } from '../support/closing.ts';
import { openHttp2 } from '../support/http2-client.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { EventSourceReader, RovingReader } from '../support/resuming-reader.ts';
import { serverPorts } from '../support/server-ports.ts';
import { openStream } from '../support/sse-reader.ts';
import type { SseStream } from '../support/sse-reader.ts';
import { Stage } from '../support/stage.ts';
import { scriptedContract } from './scripted-contract.ts';

/** The path of a stream with this channel, and with another one. */
const withMany = (channel: string): string => `/events?channel=${channel}&channel=${channel}.other`;

/** Checks that a proxy with the documented configuration keeps every promise of the broker. */
export function edgeContract(name: EdgeName): void {
  const { http2Streams, noticesLeaving, trustsAtFirst } = edgeTraits[name];
  let stage: Stage;
  let adminPort = 0;
  let edge: Edge;
  let channels = 0;
  const started: Edge[] = [];

  const start = async (options: Partial<EdgeOptions> = {}): Promise<Edge> => {
    const made = await startEdge(name, { replicas: replicas(0, 1), adminPort, ...options });
    started.push(made);
    return made;
  };
  const replicas = (one: number, other: number): [string, string] => [
    new URL(stage.broker(one).url).host,
    new URL(stage.broker(other).url).host,
  ];
  const newChannel = (): string => `${name}.${++channels}`;

  beforeAll(async () => {
    [adminPort = 0] = await serverPorts(1);
    // No heartbeats, which would flush what a proxy holds back, except in the tests of heartbeats.
    const env = { SLUICE_ADMIN_PORT: String(adminPort), SLUICE_HEARTBEAT: '1h' };
    stage = await Stage.open({ replicas: 0, env });
    // Each replica has an address of its own, because the port for health is the same for all.
    await stage.addReplica({ HOST: '127.0.0.1' });
    await stage.addReplica({ HOST: '127.0.0.2' });
    await stage.addReplica({ HOST: '127.0.0.3', SLUICE_HEARTBEAT: '200ms' });
    await stage.addReplica({
      HOST: '127.0.0.4',
      SLUICE_TRUSTED_PROXIES: '127.0.0.1',
      SLUICE_MAX_CONNECTIONS_PER_IP: '1',
    });
    edge = await start();
  });
  afterAll(async () => {
    await Promise.all(started.map((one) => one.stop()));
    await stage?.close();
  });

  describe('a stream', () => {
    test('begins at once, even while Redis does not answer', async () => {
      await stage.redis.pause();
      try {
        const stream = await openStream(`${edge.url}/events/${newChannel()}`);
        expect(stream.status).toBe(200);
        expect(stream.headers).toMatchObject({
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store, no-transform',
        });
        await stream.when(({ retries }) => retries.length === 1);
        expect(stream.events).toEqual([]);
        stream.close();
      } finally {
        await stage.redis.resume();
      }
    });

    test.each([
      ['one channel', (channel: string): string => `/events/${channel}`, (id: string): string => id],
      ['many channels', withMany, (id: string, channel: string): unknown => idStart(`${channel}@${id}`)],
    ])('of %s delivers each event before the next one is published', async (_of, path, idOf) => {
      const channel = newChannel();
      const stream = await openStream(`${edge.url}${path(channel)}`);
      await stream.until('sluice:ready');
      for (const data of ['one', 'two', 'three']) {
        const id = await stage.broker(0).publish(channel, data);
        expect(await stream.next()).toMatchObject({ id: idOf(id, channel), data });
      }
      stream.close();
    });

    test('is compressed once, by the broker, when the proxy compresses everything else', async () => {
      const compressing = await start({ compression: true });
      const headers = { 'accept-encoding': 'gzip' };
      // Until its first probes, a proxy may take the replicas for ill, and answer by itself.
      await expect
        .poll(async () => (await get(`${compressing.url}/console.js`, headers)).headers['content-encoding'])
        .toBe('gzip');
      const channel = newChannel();
      for (const path of [`/events/${channel}`, withMany(channel)]) {
        const stream = await openStream(`${compressing.url}${path}`, { headers });
        expect(stream.headers['content-encoding']).toBe('gzip');
        await stream.until('sluice:ready');
        await stage.broker(0).publish(channel, 'in clear');
        expect(await stream.next()).toMatchObject({ data: 'in clear' });
        stream.close();
      }
    });

    test('ends at the replica when its client leaves', async () => {
      // Only proxies that notice a lost client by a write get heartbeats in this test.
      const writes = noticesLeaving === 'when it writes';
      const { url } = writes ? await start({ replicas: replicas(2, 2) }) : edge;
      const behind = writes ? [stage.broker(2)] : stage.brokers;
      await expect.poll(() => connections(behind)).toBe(0);
      const paths = [`/events/${newChannel()}`, withMany(newChannel())];
      const streams = await Promise.all(paths.map((path) => openStream(`${url}${path}`)));
      await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
      expect(await connections(behind)).toBe(2);
      for (const stream of streams) stream.close();
      await expect.poll(() => connections(behind)).toBe(0);
    });

    test("survives the proxy's silence time-out with heartbeats, and ends at the time-out without", async () => {
      const [patient, impatient] = await Promise.all([
        start({ silence: '1s', replicas: replicas(2, 2) }),
        start({ silence: '1s' }),
      ]);
      const channel = newChannel();
      const paths = [`/events/${channel}`, withMany(channel)];
      const silent = await Promise.all(paths.map((path) => openStream(`${impatient.url}${path}`)));
      const streams = await Promise.all(paths.map((path) => openStream(`${patient.url}${path}`)));
      await Promise.all(streams.map((stream) => stream.until('sluice:ready')));
      const began = performance.now();
      await Promise.all([
        ...silent.map(({ ended }) => ended),
        ...streams.map((stream) => stream.when(() => performance.now() - began > 4_000)),
      ]);
      await stage.broker(0).publish(channel, 'still there');
      for (const stream of streams) {
        expect(await stream.next()).toMatchObject({ data: 'still there' });
        stream.close();
      }
    });

    test('resumes after SIGKILL and after SIGTERM of its replica, with every event once and in order', async () => {
      const url = `${edge.url}/events/news`;
      stage.readers.push(
        ...Array.from({ length: 6 }, (_, i) => new RovingReader(`rover ${i + 1}`, [url])),
        new EventSourceReader('eventsource', url),
      );
      await Promise.all(stage.readers.map(({ ready }) => ready));
      const publisher = stage.publisher({ urls: [edge.url] });
      await publisher.reached(150);
      await stage.broker(0).kill();
      await publisher.reached(300);
      await stage.revive(0);
      // Longer than any of the proxies avoids a replica after a failure.
      const { length } = publisher.acknowledged;
      await publisher.reached(length + 700);
      await stage.broker(1).stop();
      await publisher.reached(length + 850);
      const verdict = await stage.finish();
      expect(verdict.breaches).toEqual([]);
      expect(verdict).toMatchObject({ gaps: 0 });
      expect(verdict.delivered).toBe(verdict.acknowledged * stage.readers.length);
      expect(verdict.reconnects).toBeGreaterThanOrEqual(stage.readers.length);
      for (const reader of stage.readers) reader.close();
    });
  });

  test('without any replica a subscriber is asked to come back, and a publish is refused', async () => {
    const [nobody = 0, noHealth = 0] = await serverPorts(2);
    const abandoned = await start({
      replicas: [`127.0.0.1:${nobody}`, `127.0.0.2:${nobody}`],
      adminPort: noHealth,
    });
    const url = `${abandoned.url}/events/${newChannel()}`;
    const open = (): Promise<SseStream> =>
      openStream(url, { headers: { origin: 'https://app.example.com' } });
    const stream = trustsAtFirst ? await vi.waitFor(open, { timeout: 55_000 }) : await open();
    await stream.ended;
    expect(stream.retries).toHaveLength(1);
    const [retry] = stream.retries;
    expect(retry).toBeGreaterThanOrEqual(5_000);
    expect(retry).toBeLessThanOrEqual(15_000);
    const closing = { event: 'sluice:closing', data: JSON.stringify({ reason: 'unavailable', retry }) };
    expect(stream.events).toEqual([{ id: undefined, ...closing }]);
    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'access-control-allow-origin': 'https://app.example.com',
      'access-control-allow-credentials': 'true',
    });
    const placed = await openStream(url, { headers: { 'last-event-id': '1763596800000-0' } });
    await placed.ended;
    expect(placed.events).toMatchObject([{ id: '1763596800000-0', event: 'sluice:closing' }]);
    // The proxy must return any cursor unchanged. An empty id would lose the subscriber's position.
    const many = `${abandoned.url}${withMany(newChannel())}`;
    const ids = ['a@1-0,b@2-0,c', '{env.PATH} %{env:PATH} %[env(PATH)] ${1} \\n "', ''];
    const asked = [...ids, ...ids].map((id, i) =>
      openStream(i < ids.length ? url : many, { headers: { 'last-event-id': id } }),
    );
    for (const [i, reader] of (await Promise.all(asked)).entries()) {
      await reader.ended;
      expect(reader.events.map(({ id, event }) => [id, event])).toEqual([
        [ids[i % ids.length] || undefined, 'sluice:closing'],
      ]);
    }
    const refused = await fetch(`${abandoned.url}/publish/news`, { method: 'POST', body: 'lost' });
    expect(refused.status).toBe(503);
    expect(refused.headers.get('retry-after')).toBe('2');
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(await refused.json()).toMatchObject({ type: 'about:blank', status: 503 });
  });

  test('a replica that trusts the proxy counts each client by its own address, whatever the client claims', async () => {
    const { url } = await start({ replicas: replicas(3, 3) });
    const channel = `${url}/events/${newChannel()}`;
    const first = await openStream(channel);
    await first.until('sluice:ready');
    const second = await openStream(channel, { headers: { 'x-forwarded-for': '203.0.113.9' } });
    await second.ended;
    expect(await closingOf(second)).toMatchObject({ reason: 'address-limit' });
    const other = await openStream(channel, { localAddress: '127.0.0.2' });
    await other.until('sluice:ready');
    for (const stream of [first, other]) stream.close();
  });

  test.runIf(http2Streams > 0)(
    `${http2Streams} streams and their publishes share one HTTP/2 connection`,
    async () => {
      const client = await openHttp2(edge.secureUrl);
      expect(client.protocol).toBe('h2');
      const names = Array.from({ length: http2Streams }, newChannel);
      const streams = await Promise.all(names.map((channel) => client.stream(`/events/${channel}`)));
      await Promise.all(streams.map((stream) => stream.received('sluice:ready')));
      for (const [i, channel] of names.entries()) {
        const answer = await client.post(`/publish/${channel}`, `for ${channel}`, stage.broker(0).key);
        const { id } = JSON.parse(answer) as { id: string };
        expect(await streams[i]?.received('message')).toMatchObject({ id, data: `for ${channel}` });
      }
      client.close();
    },
  );

  scriptedContract(name, start);
}

/** Matches an id of a stream with many channels. */
function idStart(start: string): unknown {
  return expect.stringMatching(new RegExp(`^${start},~`));
}

async function connections(to: readonly Broker[]): Promise<number> {
  const all = await Promise.all(to.map(({ adminUrl = '' }) => readMetrics(adminUrl)));
  return all.reduce((sum, metrics) => sum + (metrics.get('sluice_connections') ?? 0), 0);
}

async function get(url: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { agent: false, headers: { ...headers } }, resolve)
      .on('error', reject)
      .end();
  });
  answer.resume();
  return answer;
}
