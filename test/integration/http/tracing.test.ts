import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw, publishRequest } from '../../support/publish-raw.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { openStream } from '../../support/sse-reader.ts';
import { TraceCollector } from '../../support/trace-collector.ts';
import type { CollectedSpan } from '../../support/trace-collector.ts';

// An example of https://www.w3.org/TR/trace-context/.
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const SERVER = 2;
const PRODUCER = 4;
const ERROR = 2;

let collector: TraceCollector;
let env: Record<string, string>;
beforeEach(async () => {
  collector = new TraceCollector();
  env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: await collector.listen(),
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '10',
  };
});
afterEach(() => collector.stop());

/** Stops the broker, so that all spans have been sent. */
async function allSpans(broker: Broker): Promise<readonly CollectedSpan[]> {
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
  return collector.spans;
}

function only(spans: readonly CollectedSpan[], name: string): CollectedSpan {
  const named = spans.filter((span) => span.name === name);
  expect(named.map((span) => span.name)).toEqual([name]);
  return named[0] as CollectedSpan;
}

describe('with a log in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  test("a publish has a span below its publisher's span, and its append has a span below that", async () => {
    const broker = await startBroker({ ...env, REDIS_URL: redis.url });
    await broker.logged('redis: up');
    const answer = await publishRaw(broker, {
      path: '/publish/orders.42?event=created',
      headers: [`traceparent: 00-${TRACE}-${PARENT}-01`],
      body: 'x',
    });
    const { id } = JSON.parse(answer.body) as { id: string };
    await collector.when(({ spans }) => spans.length === 2);

    const spans = await allSpans(broker);
    const request = only(spans, 'POST /publish/:channel');
    const append = only(spans, 'append');
    expect(spans).toHaveLength(2);
    expect(request).toMatchObject({
      kind: SERVER,
      traceId: TRACE,
      parentSpanId: PARENT,
      status: { code: 0 },
    });
    expect(request.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/publish/:channel',
      'http.response.status_code': 200,
      'url.path': '/publish/orders.42',
      'url.scheme': 'http',
    });
    expect(append).toMatchObject({ kind: PRODUCER, traceId: TRACE, parentSpanId: request.spanId });
    expect(append.attributes).toEqual({
      'messaging.system': 'sluice',
      'messaging.operation.name': 'append',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders.42',
      'messaging.message.id': id,
      'db.system.name': 'redis',
    });
    expect(request.resource).toMatchObject({ 'service.name': 'sluice' });
  });

  test('both spans of a failed append have the error', async () => {
    const broker = await startBroker({ ...env, REDIS_URL: redis.url });
    await broker.logged('redis: up');
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1');
    const answer = await publishRaw(broker, { body: '{"channel":"news","data":1}' });
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    expect(answer.status).toBe(503);

    const spans = await allSpans(broker);
    expect(only(spans, 'append')).toMatchObject({
      attributes: { 'error.type': 'log-full' },
      status: { code: ERROR },
    });
    expect(only(spans, 'POST /publish')).toMatchObject({
      attributes: { 'error.type': '503', 'http.response.status_code': 503 },
      status: { code: ERROR },
    });
  });
});

test('concurrent publishes keep their own spans, on one connection and on several', async () => {
  const broker = await startBroker(env);
  const channels = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const connection = await openRaw(broker.port);
  const pipelined = channels.slice(0, 20).map((channel) => ({ path: `/publish/${channel}`, body: channel }));
  connection.send(Buffer.concat(pipelined.map((publish) => requestBytes(publishRequest(broker, publish)))));
  await Promise.all(channels.slice(20).map((channel) => broker.publish(channel, channel)));
  for (const _ of pipelined) expect((await connection.answer()).status).toBe(200);
  connection.close();

  const spans = await allSpans(broker);
  const requests = spans.filter(({ kind }) => kind === SERVER);
  const appends = spans.filter(({ kind }) => kind === PRODUCER);
  expect([requests.length, appends.length]).toEqual([40, 40]);
  expect(new Set(appends.map(({ traceId }) => traceId)).size).toBe(40);
  for (const { attributes, parentSpanId } of appends.filter((span) => nameOf(span) < 20)) {
    const request = requests.find(({ spanId }) => spanId === parentSpanId);
    expect(request?.attributes['url.path']).toBe(
      `/publish/${String(attributes['messaging.destination.name'])}`,
    );
  }
});

function nameOf({ attributes }: CollectedSpan): number {
  return Number(String(attributes['messaging.destination.name']).slice(1));
}

test('repeated and refused publishes have spans', async () => {
  const broker = await startBroker(env);
  const headers = ['Idempotency-Key: again'];
  for (let i = 0; i < 2; i++) await publishRaw(broker, { path: '/publish/news', headers, body: 'x' });
  await publishRaw(broker, { body: '{' });
  await exchange(broker.port, { method: 'POST', path: '/publish', headers: ['Content-Length: 0'] });
  // A client that leaves after half a body.
  const leaving = await openRaw(broker.port);
  leaving.send(requestBytes(publishRequest(broker, { path: '/publish/left', body: 'xx' })).subarray(0, -1));
  await collector.when(({ spans }) => spans.length === 6);
  leaving.close();

  await collector.when(({ spans }) => spans.length === 7);
  const spans = await allSpans(broker);
  const appends = spans.filter(({ name }) => name === 'append');
  expect(appends.map(({ attributes }) => attributes['sluice.replayed'])).toEqual([undefined, true]);
  const requests = spans.filter(({ kind }) => kind === SERVER);
  expect(requests.map(({ attributes }) => attributes['http.response.status_code'])).toEqual([
    200,
    200,
    400,
    401,
    undefined,
  ]);
  // By OpenTelemetry's conventions, a client's mistake is no error of the server.
  expect(requests.map(({ status }) => status.code)).toEqual([0, 0, 0, 0, 0]);
  expect(requests.at(-1)?.attributes['error.type']).toBe('client_disconnected');
});

test('only publishes have spans, and subscriptions have none', async () => {
  const broker = await startBroker(env);
  const stream = await openStream(`${broker.url}/events/news`, {
    headers: { traceparent: `00-${TRACE}-${PARENT}-01`, 'last-event-id': '0-0' },
  });
  await stream.until('sluice:ready');
  for (const path of [
    '/',
    '/healthz',
    '/livez',
    '/readyz',
    '/metrics',
    '/nothing',
    '/publish',
    '/publish/%zz',
  ])
    await exchange(broker.port, { path });
  await broker.publish('news', 'x');
  await stream.next();
  stream.close();
  expect((await allSpans(broker)).map(({ name }) => name).toSorted()).toEqual(['POST /publish', 'append']);
});

test("follows OpenTelemetry's settings: name, attributes, headers, sampler, the endpoint for traces", async () => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT = '', ...others } = env;
  const broker = await startBroker({
    ...others,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${OTEL_EXPORTER_OTLP_ENDPOINT}/here`,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20for-the-collector',
    OTEL_SERVICE_NAME: 'events',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    OTEL_TRACES_SAMPLER: 'parentbased_always_off',
  });
  await broker.publish('not-sampled', 1);
  const headers = [`traceparent: 00-${TRACE}-${PARENT}-01`];
  await publishRaw(broker, { path: '/publish/sampled', headers, body: 'x' });
  const spans = await allSpans(broker);
  expect(spans.map(({ traceId }) => traceId)).toEqual([TRACE, TRACE]);
  expect(spans[0]?.resource).toMatchObject({
    'service.name': 'events',
    'deployment.environment.name': 'test',
  });
  expect(collector.received[0]).toMatchObject({
    path: '/here',
    headers: { authorization: 'Bearer for-the-collector', 'content-type': 'application/json' },
  });
});

test('by default spans are sent as protobuf, at the latest when the broker stops', async () => {
  const { OTEL_EXPORTER_OTLP_ENDPOINT = '' } = env;
  const broker = await startBroker({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_BSP_SCHEDULE_DELAY: '3600000' });
  await broker.publish('news', 1);
  expect(collector.received).toEqual([]);
  await broker.stop();
  expect(collector.received).toHaveLength(1);
  const [{ path, headers, body } = {}] = collector.received;
  expect([path, headers?.['content-type']]).toEqual(['/v1/traces', 'application/x-protobuf']);
  for (const text of ['POST /publish', 'append', 'messaging.destination.name'])
    expect(body?.toString('latin1')).toContain(text);
});

test('spans contain no credentials and no data', async () => {
  const secret = 'kumquat';
  const broker = await startBroker({
    ...env,
    SLUICE_PUBLISH_KEYS: `${secret}-key`,
    SLUICE_JWT_SECRET: `${secret}-secret-for-signing-the-tokens`,
  });
  const bearer = `Authorization: Bearer ${secret}`;
  const cookie = `Cookie: sluice_token=${secret}`;
  const length = ['Content-Length: 7', cookie, `Idempotency-Key: ${secret}`, `baggage: a=${secret}`];
  for (const path of ['/publish/a', `/publish/a?token=${secret}`, `/publish?key=${secret}`, '/publish'])
    for (const authorization of [bearer, `${bearer}-key`, `${bearer}.a.b`])
      await exchange(broker.port, {
        method: 'POST',
        path,
        headers: [authorization, ...length],
        body: secret,
      });
  await broker.publish('a', secret, secret);
  expect((await allSpans(broker)).length).toBeGreaterThan(13);
  for (const { body } of collector.received) expect(body.toString()).not.toContain(secret);
});

test.each([
  ['refuses', 401],
  ['never answers', undefined],
] as const)('a collector that %s does not delay publishing', async (_what, status) => {
  collector.status = status;
  const broker = await startBroker({
    ...env,
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=for-the-collector',
    OTEL_BSP_MAX_QUEUE_SIZE: '10',
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5',
    // Longer than the test's limit: the broker itself must not wait.
    OTEL_EXPORTER_OTLP_TIMEOUT: '3600000',
    OTEL_BSP_EXPORT_TIMEOUT: '3600000',
  });
  await broker.publish('news', 0);
  await collector.when(({ received }) => received.length > 0);
  for (let i = 1; i < 100; i++) await broker.publish('news', i);
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
  const said = broker.log().filter((line) => line.includes('tracing: spans could not be delivered'));
  expect(said.length > 0).toBe(status !== undefined);
  expect(said.length).toBeLessThan(5);
  for (const line of said) expect(line).toContain('"reason":"HTTP 401"');
  expect(broker.log().filter((line) => line.includes('for-the-collector'))).toEqual([]);
});

test('a missing collector does not delay publishing', async () => {
  const gone = new TraceCollector();
  const OTEL_EXPORTER_OTLP_ENDPOINT = await gone.listen();
  await gone.stop();
  const broker = await startBroker({
    ...env,
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_TIMEOUT: '100',
  });
  for (let i = 0; i < 100; i++) await broker.publish('news', i);
  await broker.logged('tracing: spans could not be delivered');
  await broker.publish('news', 'still');
  expect(await broker.stop()).toEqual({ code: 0, signal: null });
});
