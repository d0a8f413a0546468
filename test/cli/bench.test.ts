import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { startPageServer } from '../support/page-server.ts';
import { runSluice } from '../support/run-program.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';

let broker: Broker;

beforeAll(async () => {
  // No channel is public: the bench has to make a token.
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET, SLUICE_MAX_CONNECTIONS: '20' });
});

afterAll(async () => {
  await broker?.stop();
});

function bench(url: string, line: string) {
  return runSluice(['bench', url, ...line.split(' ')], { env: { SLUICE_KEY: broker.key } });
}

describe('sluice bench', () => {
  test('measures a broker, and leaves nothing in its channel', async () => {
    const { code, stdout, stderr } = await bench(
      broker.url,
      '--seconds 1 --subscribers 20 --rate 200 --json',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const result = JSON.parse(stdout) as Record<string, unknown> & { published: number };
    expect(result).toMatchObject({
      missing: 0,
      twice: 0,
      outOfOrder: 0,
      gaps: 0,
      stoppedBy: null,
      rate: 200,
    });
    expect(result.published).toBeGreaterThan(0);
    expect(result['deliveries']).toBe(result.published * 20);
    const headers = { authorization: `Bearer ${broker.key}` };
    const list = await (await fetch(`${broker.url}/channels?prefix=bench.`, { headers })).json();
    // What is left is the notice of the deletion.
    expect(list).toMatchObject({ channels: [{ length: 1 }] });
  });

  test('says which subscriber was refused, and why', async () => {
    const { code, stderr } = await bench(broker.url, '--subscribers 21');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^sluice: Subscriber \d+ could not be opened: .*"reason":"limit"/);
  });

  test('has bounds', async () => {
    expect(await bench(broker.url, '--subscribers 10001')).toMatchObject({ code: 2 });
    expect(await bench(broker.url, '--seconds 61')).toMatchObject({ code: 2 });
  });
});

test('sluice bench counts what a faulty broker loses, sends twice and swaps', async () => {
  const streams: ((data: string) => void)[] = [];
  let held = '';
  let published = 0;
  const faulty = await startPageServer((request, response) => {
    if (request.url?.startsWith('/events/') === true) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      streams.push((data) => response.write(`data: ${data}\n\n`));
      response.write('event: sluice:ready\ndata: {}\n\n');
      // Numbers that the bench has not sent.
      response.write('data: 0 999999999999 1\n\ndata: 7 x\n\n');
      return;
    }
    request.setEncoding('utf8');
    let body = '';
    request.on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { data } = JSON.parse(body || '{}') as { data?: string };
      // The first one, without a number, is the request with which the bench begins.
      if (request.url === '/publish' && streams.length > 0) {
        published++;
        // The 2nd comes twice, the 4th and the 5th change places, the 6th is lost.
        if (published === 4) held = data ?? '';
        else if (published !== 6) for (const send of streams) send(data ?? '');
        if (published === 2) for (const send of streams) send(data ?? '');
        if (published === 5) for (const send of streams) send(held);
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}');
    });
  });
  const { code, stdout, stderr } = await bench(
    faulty.origin,
    '--seconds 1 --subscribers 3 --publishers 1 --json',
  );
  await faulty.close();
  expect(code).toBe(1);
  expect(stderr).toContain('Not every subscriber got every event once and in order');
  expect(JSON.parse(stdout)).toMatchObject({ missing: 3, twice: 3, outOfOrder: 3 });
});

test('sluice bench fails when streams end, and counts nothing of them as missing', async () => {
  const streams: (() => void)[] = [];
  const ending = await startPageServer((request, response) => {
    request.resume();
    if (request.url?.startsWith('/events/') === true) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: sluice:ready\ndata: {}\n\n');
      streams.push(() => response.end());
      return;
    }
    for (const end of streams) end();
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}');
  });
  const { code, stdout, stderr } = await bench(ending.origin, '--seconds 1 --subscribers 3 --rate 10 --json');
  await ending.close();
  expect(code).toBe(1);
  expect(stderr).toBe(
    'sluice: 3 streams ended before the bench did. Events after that do not count as missing.\n',
  );
  expect(JSON.parse(stdout)).toMatchObject({ missing: 0, endedStreams: 3, deliveries: 0 });
});
