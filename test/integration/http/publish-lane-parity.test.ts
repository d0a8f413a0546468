import { afterEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer, RawConnection } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { startRedis } from '../../support/redis-server.ts';
import { TraceCollector } from '../../support/trace-collector.ts';
import type { CollectedSpan } from '../../support/trace-collector.ts';

/** The lane works with every setting, and gives the same answers, counts and spans as the HTTP server. */

// Windows of an hour: no window ends while a test counts.

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function start(env: Readonly<Record<string, string>>): Promise<Broker> {
  const broker = await startBroker(env);
  stops.push(() => broker.kill());
  return broker;
}

/** Opens a connection, which is in the lane until an unusual request comes. */
async function connect(broker: Broker): Promise<RawConnection> {
  const connection = await openRaw(broker.port);
  stops.push(() => connection.close());
  return connection;
}

interface Sent {
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly credential?: string;
}

async function publish(broker: Broker, connection: RawConnection, sent: Sent = {}): Promise<RawAnswer> {
  const { headers = [], body = 'x', credential = broker.key } = sent;
  const publication = { path: '/publish/news', contentType: 'text/plain', headers, body };
  connection.send(requestBytes(publishRequest({ ...broker, key: credential }, publication)));
  return await connection.answer();
}

/** A request with this header goes to the HTTP server, and so does the rest of its connection. */
const UNUSUAL = ['Cookie: a=b'];

/** Node's HTTP server sends a Keep-Alive header with each answer, and the lane does not. */
function isOfLane(answer: RawAnswer): boolean {
  return answer.header('keep-alive') === undefined;
}

test('a publish without an unusual header takes the lane, and one with such a header does not', async () => {
  const broker = await start({});
  const connection = await connect(broker);
  expect(isOfLane(await publish(broker, connection))).toBe(true);
  expect(isOfLane(await publish(broker, connection, { headers: UNUSUAL }))).toBe(false);
});

test('an end and a condition take the lane; several channels and lists do not; the answers are the same', async () => {
  const broker = await start({});
  const lane = await connect(broker);
  const ask = async (
    body: object,
    headers: readonly string[] = [],
    connection = lane,
  ): Promise<RawAnswer> => {
    const publication = { headers, body: JSON.stringify(body) };
    connection.send(requestBytes(publishRequest(broker, publication)));
    return await connection.answer();
  };
  const conditional = await ask({ channel: 'a', data: 1, ifLast: '0-0' });
  const ended = await ask({ channel: 'a', close: true });
  expect([conditional, ended].map((one) => [one.status, isOfLane(one)])).toEqual([
    [200, true],
    [200, true],
  ]);
  expect(ended.body).toBe(conditional.body);
  for (const [body, status] of [
    [{ channel: 'a', data: 1 }, 409],
    [{ channel: 'b', data: 1, ifLast: '7-0' }, 412],
  ] as const) {
    const both = [await ask(body), await ask(body, UNUSUAL, await connect(broker))];
    expect(both.map((one) => [one.status, isOfLane(one)])).toEqual([
      [status, true],
      [status, false],
    ]);
    expect(both[0]?.body).toBe(both[1]?.body);
  }
  for (const [body, headers] of [
    [{ channels: ['c', 'd'], data: 1 }, []],
    [[{ channel: 'c', data: 1 }], []],
    [{ channel: 'e', data: 1 }, ['If-Match: "0-0"']],
  ] as const) {
    const answer = await ask(body, headers, await connect(broker));
    expect([answer.status, isOfLane(answer)]).toEqual([200, false]);
  }
});

test('with rates, each request counts once, and both ways give the same rate headers', async () => {
  const broker = await start({ SLUICE_PUBLISH_RATE_PER_KEY: '4/h', SLUICE_PUBLISH_RATE_PER_IP: '100/h' });
  const lane = await connect(broker);
  const http = await connect(broker);
  const said = [];
  for (let i = 0; i < 3; i++)
    for (const answer of [await publish(broker, lane), await publish(broker, http, { headers: UNUSUAL })]) {
      const [, left = ''] =
        /"key";r=(\d+);t=\d+, "ip";r=\d+;t=\d+/.exec(answer.header('ratelimit') ?? '') ?? [];
      said.push([answer.status, left, isOfLane(answer)]);
      expect(answer.header('ratelimit-policy')).toBe('"key";q=4;w=3600, "ip";q=100;w=3600');
    }
  expect(said).toEqual([
    [200, '3', true],
    [200, '2', false],
    [200, '1', true],
    [200, '0', false],
    [429, '0', true],
    [429, '0', false],
  ]);

  const refusals = [await publish(broker, lane), await publish(broker, http, { headers: UNUSUAL })];
  for (const refusal of refusals) {
    expect(readProblem(refusal, 429).code).toBe('too-many-requests');
    expect(Number(refusal.header('retry-after'))).toBeGreaterThan(3_500);
  }
  const [ofLane, ofHttp] = refusals.map(({ body }) => body.replace(/in \d+ s\./, ''));
  expect(ofLane).toBe(ofHttp);
  const metrics = await readMetrics(broker.url);
  expect(metrics.get('sluice_requests_refused_total{reason="key-rate"}')).toBe(4);
  expect(metrics.get('sluice_published_total{result="ok"}')).toBe(4);
});

test('a request that the lane hands over counts once', async () => {
  const broker = await start({ SLUICE_PUBLISH_RATE_PER_KEY: '9/h' });
  const lane = await connect(broker);
  expect((await publish(broker, lane)).header('ratelimit')).toMatch(/r=8/);
  const bad = await publish(broker, lane, { body: 'NUL \0' });
  expect([bad.status, isOfLane(bad)]).toEqual([400, false]);
  expect(bad.header('ratelimit')).toMatch(/r=7/);
  const wrong = await connect(broker);
  expect((await publish(broker, wrong, { credential: 'wrong' })).status).toBe(401);
  expect((await publish(broker, await connect(broker))).header('ratelimit')).toMatch(/r=6/);
});

test('behind a trusted proxy, the lane counts by the same address as the HTTP server', async () => {
  const broker = await start({
    SLUICE_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8',
    SLUICE_PUBLISH_RATE_PER_IP: '99/h',
  });
  const lane = await connect(broker);
  const http = await connect(broker);
  let left = 99;
  for (const [forwarded, isSame] of [
    ['198.51.100.1', true],
    ['198.51.100.1, 10.1.2.3', true],
    ['203.0.113.5, 198.51.100.1:5678 , 10.1.2.3', true],
    ['10.9.9.9,198.51.100.1, "10.1.2.3:80"', true],
    ['198.51.100.2', false],
  ] as const) {
    const headers = [`X-Forwarded-For: ${forwarded}`];
    const first = await publish(broker, lane, { headers });
    const second = await publish(broker, http, { headers: [...headers, ...UNUSUAL] });
    expect([isOfLane(first), isOfLane(second)]).toEqual([true, false]);
    if (!isSame) left = 99;
    expect(first.header('ratelimit')).toContain(`"ip";r=${--left};`);
    expect(second.header('ratelimit')).toContain(`"ip";r=${--left};`);
  }
});

test('with rates that replicas share, publishes take the lane', async () => {
  const redis = await startRedis();
  stops.push(() => redis.stop());
  const broker = await start({ REDIS_URL: redis.url, SLUICE_PUBLISH_RATE_PER_KEY: '5/h' });
  await broker.logged('redis: up');
  const lane = await connect(broker);
  expect((await publish(broker, lane)).header('ratelimit')).toMatch(/r=4/);
  // Pipelined: each request waits for the answer to the one before.
  const bytes = requestBytes(
    publishRequest(broker, { path: '/publish/news', contentType: 'text/plain', body: 'x' }),
  );
  lane.send(bytes);
  lane.send(bytes);
  for (const left of ['r=3', 'r=2']) expect((await lane.answer()).header('ratelimit')).toContain(left);
});

describe('a recently verified token', () => {
  const SECRET = 'a-secret-of-thirty-two-characters';
  const token = (publishes: readonly string[], exp = inSeconds(60)): string =>
    signToken({ exp, sluice: { publish: publishes } }, SECRET);

  test('publishes through the lane on a granted channel, until it is revoked', async () => {
    const broker = await start({ SLUICE_JWT_SECRET: SECRET });
    const credential = token(['news']);
    expect(isOfLane(await publish(broker, await connect(broker), { credential }))).toBe(false);
    const lane = await connect(broker);
    const answer = await publish(broker, lane, { credential });
    expect([answer.status, isOfLane(answer)]).toEqual([200, true]);

    const revoke = JSON.stringify({ channel: 'news', revoke: true });
    const admin = await connect(broker);
    admin.send(requestBytes(publishRequest(broker, { path: '/disconnect', body: revoke })));
    expect((await admin.answer()).status).toBe(200);
    const refused = await publish(broker, lane, { credential });
    expect(readProblem(refused, 401).detail).toContain('revoked');
  });

  test('is forbidden on other channels', async () => {
    const broker = await start({ SLUICE_JWT_SECRET: SECRET });
    const credential = token(['other']);
    for (let i = 0; i < 2; i++)
      expect(readProblem(await publish(broker, await connect(broker), { credential }), 403).code).toBe(
        'forbidden',
      );
  });
});

test('with tracing, both ways make the same spans', async () => {
  const collector = new TraceCollector();
  const OTEL_EXPORTER_OTLP_ENDPOINT = await collector.listen();
  stops.push(() => collector.stop());
  const broker = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    SLUICE_TRUSTED_PROXIES: '127.0.0.1',
    SLUICE_PUBLISH_RATE_PER_KEY: '2/h',
  });
  // An example of https://www.w3.org/TR/trace-context/.
  const headers = [
    'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'X-Forwarded-Proto: http, https',
  ];
  const lane = await connect(broker);
  const http = await connect(broker);
  const ways: boolean[] = [];
  for (let i = 0; i < 2; i++) {
    ways.push(isOfLane(await publish(broker, lane, { headers })));
    ways.push(isOfLane(await publish(broker, http, { headers: [...headers, ...UNUSUAL] })));
  }
  expect(ways).toEqual([true, false, true, false]);
  expect(await broker.stop()).toEqual({ code: 0, signal: null });

  const { spans } = collector;
  const requests = spans.filter(({ name }) => name === 'POST /publish/:channel');
  expect(requests.map(({ parentSpanId }) => parentSpanId)).toEqual(Array(4).fill('b7ad6b7169203331'));
  expect(requests.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([
    200, 200, 429, 429,
  ]);
  expect(requests[0]?.attributes).toMatchObject({ 'url.scheme': 'https', 'url.path': '/publish/news' });
  const [first, second, third, fourth] = requests.map(shown);
  expect([first, third]).toEqual([second, fourth]);
  const appends = spans.filter(({ name }) => name === 'append');
  expect(appends.map(({ parentSpanId }) => parentSpanId)).toEqual(
    requests.slice(0, 2).map(({ spanId }) => spanId),
  );
  expect(appends.map(shown)[0]).toEqual(appends.map(shown)[1]);
});

/** A span without the fields that differ between two publishes. */
function shown({ name, kind, traceId, attributes, status }: CollectedSpan): object {
  const { 'messaging.message.id': _id, ...others } = attributes;
  return { name, kind, traceId, attributes: others, status };
}
