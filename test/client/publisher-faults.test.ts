import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPublisher } from '../../client/src/publisher.ts';
import type { Publisher, PublisherOptions } from '../../client/src/publisher.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { freePort } from '../support/free-port.ts';
import { LogReader } from '../support/log-reader.ts';
import { startPageServer } from '../support/page-server.ts';
import type { PageServer } from '../support/page-server.ts';

// The publisher of the client package, with servers that fail.

let broker: Broker;
/** Takes 20 events a second. */
let limited: Broker;
/** Stands between the publisher and the broker, and fails as the test says. */
let proxy: PageServer;
type Failure = (response: ServerResponse, forward: () => Promise<Buffer>) => unknown;
/** What happens to the next requests; those after them are passed on. */
let failures: Failure[] = [];

beforeAll(async () => {
  [broker, limited] = await Promise.all([
    startBroker({ SLUICE_HISTORY_SIZE: '20000' }),
    startBroker({ SLUICE_PUBLISH_RATE_PER_KEY: '20/s' }),
  ]);
  proxy = await startPageServer((request, response) => void handle(request, response));
});
afterAll(async () => {
  await proxy.close();
  await Promise.all([broker.kill(), limited.kill()]);
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await buffer(request);
  const forward = async (): Promise<Buffer> => {
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = request.headers;
    const answer = await fetch(`${broker.url}${request.url}`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body,
    });
    response.statusCode = answer.status;
    return Buffer.from(await answer.arrayBuffer());
  };
  const failure = failures.shift();
  if (failure === undefined) response.end(await forward());
  else await failure(response, forward);
}

function open(options: Partial<PublisherOptions> = {}): Publisher {
  return createPublisher({ url: proxy.origin, key: broker.key, ...options });
}

async function numbersIn(channel: string, url = broker.url): Promise<readonly number[]> {
  const { seen } = await LogReader.read(url, channel);
  return seen.flatMap((one) => (one.kind === 'event' ? [Number(one.text)] : []));
}

/** A failure that holds the answer back until it is released. */
function held(): { readonly failure: Failure; readonly arrived: Promise<void>; release: () => void } {
  const arrival = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  return {
    failure: async (response, forward) => {
      arrival.resolve();
      await release.promise;
      response.end(await forward());
    },
    arrived: arrival.promise,
    release: release.resolve,
  };
}

const problem = (status: number, code: string, headers: Record<string, string> = {}): Failure => {
  const document = { type: `urn:sluice:problem:${code}`, title: 'x', status, detail: 'a detail of the test' };
  return (response) => response.writeHead(status, headers).end(JSON.stringify(document));
};

const acknowledged: Failure = (response) => response.end('{"events":[{"channel":"renewed","id":"1-0"}]}');

test.each<[string, Failure]>([
  ['500 in HTML', (response) => response.writeHead(500).end('<h1>Oops</h1>')],
  ['200 in HTML', (response) => response.end('<h1>Log in</h1>')],
  ['200 with too few ids', (response) => response.end('{"events":[]}')],
  ['a 503 of a replica that ends', problem(503, 'draining', { 'retry-after': '0' })],
  ['a 429', problem(429, 'too-many-requests', { 'retry-after': '0' })],
  ['a 408', problem(408, 'request-timeout')],
  ['a connection that is cut', (response) => response.destroy()],
  ['an answer that is lost', async (response, forward) => (await forward(), response.destroy())],
  [
    'an answer that breaks off',
    async (response, forward) => {
      const answer = await forward();
      response.writeHead(200, { 'content-length': answer.length }).write(answer.subarray(0, 100));
      response.destroy();
    },
  ],
  ['an answer that never comes', (_response, forward) => forward()],
])('publishes each event once, in order, in spite of %s', async (name, failure) => {
  const channel = name.replaceAll(' ', '-');
  failures = [failure];
  await using publisher = open({ requestTimeoutMs: 300 });
  const numbers = Array.from({ length: 600 }, (_, i) => i);
  const published = await Promise.all(numbers.map((i) => publisher.publish(channel, i)));
  expect(failures).toEqual([]);
  expect(await numbersIn(channel)).toEqual(numbers);
  expect(new Set(published.map(({ id }) => id)).size).toBe(600);
});

test('a token that cannot be had at once is asked for again', async () => {
  let asked = 0;
  const getToken = (): string => {
    if (++asked === 1) throw new Error('the issuer is away');
    return broker.key;
  };
  await using publisher = createPublisher({ url: broker.url, getToken });
  await expect(publisher.publish('token', 1)).resolves.toMatchObject({ channel: 'token' });
});

test.each<[string, Failure, object]>([
  [
    '404 in HTML',
    (response) => response.writeHead(404).end('<h1>?</h1>'),
    { code: 'unexpected-answer', status: 404 },
  ],
  [
    'a redirect',
    (response) => response.writeHead(302, { location: '/' }).end(),
    { code: 'unexpected-answer', status: 302 },
  ],
  ['401', problem(401, 'unauthorized'), { code: 'unauthorized', status: 401 }],
])('does not repeat after %s', async (_name, failure, expected) => {
  failures = [failure];
  await using publisher = open();
  await expect(publisher.publish('refused', 1)).rejects.toMatchObject(expected);
});

test('a publish that takes too long says whether it may be in the log', async () => {
  const { failure, arrived, release } = held();
  failures = [failure];
  await using publisher = open({ timeoutMs: 200 });
  const sent = publisher.publish('too-long', 1);
  await Promise.all([arrived, expect(sent).rejects.toMatchObject({ code: 'timeout', mayBePublished: true })]);
  release();
  const url = `http://127.0.0.1:${await freePort()}`;
  await using unconnected = open({ url, timeoutMs: 200 });
  const unsent = { code: 'timeout', mayBePublished: false };
  await using locked = createPublisher({
    url: broker.url,
    getToken: () => Promise.reject(new Error('the issuer is away')),
    timeoutMs: 200,
  });
  await Promise.all(
    [unconnected, unconnected, locked].map((one) =>
      expect(one.publish('too-long', 2)).rejects.toMatchObject(unsent),
    ),
  );
  await expect(unconnected.publish('too-long', 3)).rejects.toThrow(`${url}: fetch failed (ECONNREFUSED)`);
});

test('waits when the broker asks for more time than a timer can take', async () => {
  const answer = problem(503, 'draining', { 'retry-after': '9999999' });
  failures = [answer, answer];
  await using publisher = open({ timeoutMs: 500 });
  await expect(publisher.publish('patient', 1)).rejects.toMatchObject({ code: 'timeout' });
  expect(failures.length).toBe(1);
});

test('refuses more than the queue holds, and says when there is room', async () => {
  const { failure, release } = held();
  failures = [failure];
  await using publisher = open({ maxQueuedEvents: 3 });
  const accepted = [1, 2, 3].map((i) => publisher.publish('full', i));
  await expect(publisher.publish('full', 4)).rejects.toMatchObject({ code: 'queue-full', status: undefined });
  const room = publisher.ready().then(() => publisher.publish('full', 5));
  release();
  await Promise.all([...accepted, room]);
  expect(await numbersIn('full')).toEqual([1, 2, 3, 5]);

  await using small = open({ maxBatchBytes: 100, maxQueuedBytes: 60 });
  await expect(small.publish('full', 'x'.repeat(100))).rejects.toMatchObject({ code: 'body-too-large' });
  const large = small.publish('full', '6'.padEnd(50));
  await expect(small.publish('full', 7)).rejects.toMatchObject({ code: 'queue-full' });
  await large;
});

test('a publish can be withdrawn', async () => {
  const { failure, arrived, release } = held();
  failures = [failure];
  await using publisher = open();
  const first = publisher.publish('withdrawn', 1);
  await arrived;
  const controller = new AbortController();
  const { signal } = controller;
  const second = publisher.publish('withdrawn', 2, { signal });
  const third = publisher.publish('withdrawn', 3);
  controller.abort(new Error('no longer wanted'));
  await expect(second).rejects.toThrow('no longer wanted');
  await expect(publisher.publish('withdrawn', 4, { signal })).rejects.toThrow('no longer wanted');
  release();
  await Promise.all([first, third]);
  expect(await numbersIn('withdrawn')).toEqual([1, 3]);
});

test('a body that is too large for a rate goes in parts', async () => {
  await using publisher = createPublisher({ url: limited.url, key: limited.key });
  const numbers = Array.from({ length: 30 }, (_, i) => i);
  await Promise.all(numbers.map((i) => publisher.publish('rate', i)));
  expect(await numbersIn('rate', limited.url)).toEqual(numbers);
});

test('a token is renewed before it expires', async () => {
  failures = [acknowledged, acknowledged];
  const reasons: string[] = [];
  const payload = Buffer.from('{"iat":1,"exp":1.000001}').toString('base64url');
  const getToken = (reason: string): string => {
    reasons.push(reason);
    return `head.${payload}.signature`;
  };
  await using publisher = createPublisher({ url: proxy.origin, getToken });
  await publisher.publish('renewed', 1);
  await publisher.publish('renewed', 2);
  expect(reasons).toEqual(['start', 'expiring']);
});
