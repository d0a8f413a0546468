import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Crowd } from '../../../bench/load/crowd.ts';
import { writeJsonData } from '../../../bench/load/json-data.ts';
import { Probe } from '../../../bench/load/probe.ts';
import { monotonicMicros } from '../../../bench/measure/monotonic-micros.ts';
import { LatencyHistogram } from '../../../bench/measure/latency-histogram.ts';

let server: Server;
let streams: ((text: string) => void)[] = [];

function open(response: ServerResponse, compressed: boolean): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    ...(compressed && { 'content-encoding': 'gzip' }),
  });
  const gzip = createGzip();
  if (compressed) gzip.pipe(response);
  const write = (text: string): void => {
    if (!compressed) response.write(text);
    else gzip.write(text, () => gzip.flush());
  };
  streams.push(write);
  write('event: sluice:ready\ndata: {}\n\n');
}

beforeEach(async () => {
  streams = [];
  server = createServer((request, response) => {
    if (request.url === '/livez') response.end('ok');
    else if (request.url !== '/silent')
      open(response, /gzip/.test(String(request.headers['accept-encoding'])));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function crowd(compress: boolean): Crowd {
  return new Crowd({
    ports: [(server.address() as AddressInfo).port],
    wire: {
      subscribe: { path: '/{channel}', headers: '' },
      publish: { path: '', headers: '', body: '' },
      ready: 'event: sluice:ready',
      probe: '/livez',
    },
    from: 0,
    count: 3,
    channels: 1,
    sets: undefined,
    publishers: 1,
    size: 400,
    json: true,
    compress,
    window: 10,
    origin: monotonicMicros(),
    keepIds: false,
    positions: [],
    missed: undefined,
    patience: 10_000,
  });
}

function event(number: number): string {
  return `data: ${writeJsonData({ due: 0, publisher: 0, number }, 400, number)}\n\n`;
}

describe('a crowd that accepts gzip', () => {
  test('reads one stream, and counts the bytes of the others', async () => {
    const readers = crowd(true);
    await readers.open();
    for (const number of [0, 1, 2]) for (const write of streams) write(event(number));
    await expect
      .poll(() => readers.report())
      .toMatchObject({ distinct: 3, open: 3, compressed: 3, counted: 2, short: 0 });
    readers.close();
  });

  test('notices a stream that got fewer bytes than the one that it reads', async () => {
    const readers = crowd(true);
    await readers.open();
    for (const number of [0, 1, 2]) for (const write of streams.slice(0, 2)) write(event(number));
    await expect.poll(() => readers.report()).toMatchObject({ distinct: 3, counted: 2, short: 1 });
    readers.close();
  });

  test('reads all streams of a server that does not compress', async () => {
    const readers = crowd(false);
    await readers.open();
    for (const write of streams) write(event(0));
    await expect
      .poll(() => readers.report())
      .toMatchObject({ distinct: 3, compressed: 0, counted: 0, short: 0 });
    readers.close();
  });
});

test('a probe measures answers, and a question that nobody answers counts as the longest', async () => {
  const { port } = server.address() as AddressInfo;
  const answered = new Probe({ port, path: '/livez', interval: 1 });
  await once(server, 'request');
  const { counts, max } = await answered.stop();
  expect(new LatencyHistogram(counts, max).max).toBeLessThan(5_000_000);
  server.on('request', (request) => request.socket.destroy());
  const refused = new Probe({ port, path: '/silent', interval: 1 });
  await once(server, 'request');
  expect((await refused.stop()).max).toBe(5_000_000);
});
