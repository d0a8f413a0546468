import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { openStream } from '../../support/sse-reader.ts';
import type { SseStream } from '../../support/sse-reader.ts';
import { publishRequest as rawPublish } from '../../support/publish-raw.ts';
import { requestBytes } from '../../support/raw-http.ts';
import { startRedis } from '../../support/redis-server.ts';
import { readClosing } from '../../support/closing.ts';

async function openStreams(broker: Broker, count: number): Promise<SseStream[]> {
  const streams: SseStream[] = [];
  for (let i = 0; i < count; i++) {
    const stream = await openStream(`${broker.url}/events/drain`);
    await stream.until('sluice:ready');
    streams.push(stream);
  }
  return streams;
}

/** Sends Connection: close, because a drain waits for open connections. */
async function get(broker: Broker, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${broker.url}${path}`, { headers: { connection: 'close' } });
  return { status: response.status, body: await response.text() };
}

describe('SIGTERM', () => {
  test('ends the streams one after another, and the broker serves until the last one ends', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '3s' });
    const streams = await openStreams(broker, 4);
    const ended: SseStream[] = [];
    const ends = streams.map((stream) => stream.ended.then(() => ended.push(stream)));
    const exit = broker.stop('SIGTERM');
    await Promise.race(ends);

    const ready = await get(broker, '/readyz');
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toMatchObject({ status: 'not ready', checks: { draining: 'true' } });
    expect((await get(broker, '/healthz')).status).toBe(503);
    expect((await get(broker, '/livez')).status).toBe(200);

    const late = await openStream(`${broker.url}/events/drain`);
    await late.ended;
    expect([late.status, late.headers['content-type'], readClosing(late.text).reason]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      'draining',
    ]);
    expect(late.retries).toHaveLength(1);
    expect(late.retries[0]).toBeGreaterThanOrEqual(5_000);
    expect(late.retries[0]).toBeLessThanOrEqual(15_000);

    const id = await broker.publish('drain', 'during the drain');
    const remaining = streams.filter((stream) => !ended.includes(stream));
    expect(remaining.length).toBeGreaterThan(0);
    expect(await remaining.at(-1)?.next()).toMatchObject({ id });

    expect(await exit).toEqual({ code: 0, signal: null });
    await Promise.all(ends);
    for (const stream of streams) {
      expect(readClosing(stream.text).reason).toBe('draining');
      expect(stream.retries).toHaveLength(2);
      expect(stream.retries[1]).toBeGreaterThanOrEqual(1_000);
      expect(stream.retries[1]).toBeLessThanOrEqual(3_000);
    }
  });

  test('and any second signal ends the broker at once', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '1h' });
    const streams = await openStreams(broker, 2);
    const exit = broker.stop('SIGTERM');
    await broker.logged('"draining"');
    process.kill(broker.pid, 'SIGINT');
    expect(await exit).toEqual({ code: 1, signal: null });
    await Promise.all(streams.map((stream) => stream.ended));
  });

  test('or SIGINT ends a broker without streams at once', async () => {
    const brokers = await Promise.all([1, 2].map(() => startBroker({ SLUICE_DRAIN_WINDOW: '1h' })));
    const exits = brokers.map((broker, i) => broker.stop(i === 0 ? 'SIGTERM' : 'SIGINT'));
    expect(await Promise.all(exits)).toEqual(brokers.map(() => ({ code: 0, signal: null })));
    for (const broker of brokers) expect(broker.log().at(-1)).toContain('"stopped"');
  });

  test('with a window of 0 ends all streams at once, after whole events', async () => {
    const broker = await startBroker({ SLUICE_DRAIN_WINDOW: '0s' });
    const streams = await openStreams(broker, 20);
    const id = await broker.publish('drain', 'the last');
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
    for (const stream of streams) {
      await stream.ended;
      expect(stream.events.at(-1)?.id).toBe(id);
      expect(stream.text).toMatch(/data: the last\n\nretry: \d+\n/);
      expect(readClosing(stream.text).reason).toBe('draining');
    }
  });

  test('does not wait for an idle keep-alive connection', async () => {
    const broker = await startBroker();
    await (await fetch(`${broker.url}/livez`)).text();
    expect(await broker.stop()).toEqual({ code: 0, signal: null });
  });

  test.each([
    ['a publisher that keeps its half of the connection open', publishRequest],
    ['a publisher that does so in the middle of a request', halfAPublish],
    ['a reader that does so in the middle of a head', () => 'GET /livez HTTP/1.1\r\nHost: sluice\r\n'],
  ])(
    'does not wait for %s',
    async (_who, request) => {
      const broker = await startBroker();
      const socket = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
      // How the broker ends this connection does not matter here.
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      await new Promise<void>((resolve) => socket.write(request(broker), () => resolve()));
      // The broker accepts connections in order, and reads earlier bytes first.
      if (request === publishRequest) await once(socket, 'data');
      socket.resume();
      await broker.publish('drain', 'the broker has seen the other one');
      expect(await broker.stop()).toEqual({ code: 0, signal: null });
      socket.destroy();
    },
    15_000,
  );
});

function publishRequest({ key }: Broker): string {
  const head = ['POST /publish/drain HTTP/1.1', 'Host: sluice', `Authorization: Bearer ${key}`];
  return [...head, 'Content-Length: 5', '', 'hello'].join('\r\n');
}

function halfAPublish(broker: Broker): string {
  return publishRequest(broker).slice(0, -2);
}

test('what comes after the broker has ended a connection is not published', async () => {
  const redis = await startRedis();
  const broker = await startBroker({ REDIS_URL: redis.url });
  await broker.logged('redis: up');
  const socket = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
  const request = requestBytes(rawPublish(broker, { path: '/publish/late', body: 'x' }));
  socket.write(request);
  await once(socket, 'data');
  const exit = broker.stop('SIGTERM');
  await once(socket, 'end');
  socket.on('error', () => undefined);
  socket.write(request);
  expect(await exit).toEqual({ code: 0, signal: null });
  expect(await redis.cli('xlen', 'sluice:{late}:log')).toBe('1');
  await redis.stop();
});
