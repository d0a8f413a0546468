import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { watchChannel } from '../../support/watch-channel.ts';

// Windows of an hour: no window ends while a test counts.

const PROXIED = { SLUICE_TRUSTED_PROXIES: '127.0.0.1', SLUICE_CORS_ORIGINS: 'https://app.example' };
const KEYS = { SLUICE_PUBLISH_KEYS: 'first-long-key,second-long-key' };

let redis: RedisServer;
const brokers: Broker[] = [];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(async () => {
  await Promise.all(brokers.map((broker) => broker.kill()));
  await redis.stop();
});

async function start(env: Readonly<Record<string, string>>): Promise<Broker> {
  const broker = await startBroker(env);
  brokers.push(broker);
  return broker;
}

async function publish(broker: Broker, from: string, key = 'first-long-key', body = 'x'): Promise<RawAnswer> {
  const headers = [`X-Forwarded-For: ${from}`, 'Origin: https://app.example'];
  return await publishRaw({ ...broker, key }, { path: '/publish/rated', headers, body });
}

async function statuses(...answers: readonly Promise<RawAnswer>[]): Promise<number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

test('per key: 429 beyond the limit, with the headers that a publisher needs to slow down', async () => {
  const broker = await start({ ...KEYS, ...PROXIED, SLUICE_PUBLISH_RATE_PER_KEY: '3/h' });
  const allowed = await publish(broker, '198.51.100.1');
  expect(allowed.status).toBe(200);
  expect(allowed.header('ratelimit-policy')).toBe('"key";q=3;w=3600');
  expect(allowed.header('ratelimit')).toMatch(/^"key";r=2;t=(?:3600|3599)$/);
  expect(await statuses(publish(broker, '198.51.100.2'), publish(broker, '198.51.100.3'))).toEqual([
    200, 200,
  ]);

  const watched = await watchChannel({ ...broker, publish: () => publishOther(broker) }, 'rated');
  const refused = await publish(broker, '198.51.100.4');
  const { code, detail } = readProblem(refused, 429);
  expect(code).toBe('too-many-requests');
  expect(detail).not.toContain('first-long-key');
  expect(Number(refused.header('retry-after'))).toBeGreaterThan(3_500);
  expect(refused.header('ratelimit')).toMatch(/^"key";r=0;t=\d+$/);
  expect(refused.header('access-control-allow-origin')).toBe('https://app.example');
  expect(refused.header('access-control-expose-headers')).toContain('RateLimit');
  await watched.nothingCame();
  expect((await readMetrics(broker.url)).get('sluice_requests_refused_total{reason="key-rate"}')).toBe(1);
});

/** Publishes with the key that is not over its rate. */
async function publishOther(broker: Broker): Promise<string> {
  const answer = await publish(broker, '198.51.100.1', 'second-long-key', 'the last');
  return (JSON.parse(answer.body) as { id: string }).id;
}

test('a publish with a wrong key does not count, and one with a bad body does', async () => {
  const broker = await start({ ...KEYS, SLUICE_PUBLISH_RATE_PER_KEY: '2/h' });
  for (let i = 0; i < 5; i++) expect((await publish(broker, '', 'wrong')).status).toBe(401);
  expect((await publishRaw(broker, { body: '{' })).status).toBe(400);
  expect(await statuses(publish(broker, ''))).toEqual([200]);
  expect(await statuses(publish(broker, ''))).toEqual([429]);
});

test('per address: with any key, and each address for itself', async () => {
  const broker = await start({
    ...KEYS,
    ...PROXIED,
    SLUICE_PUBLISH_RATE_PER_KEY: '100/h',
    SLUICE_PUBLISH_RATE_PER_IP: '2/h',
  });
  const here = '2001:db8::1';
  expect(await statuses(publish(broker, here), publish(broker, '2001:db8::2', 'second-long-key'))).toEqual([
    200, 200,
  ]);
  const refused = await publish(broker, here);
  expect(refused.status).toBe(429);
  expect(refused.header('ratelimit-policy')).toBe('"key";q=100;w=3600, "ip";q=2;w=3600');
  expect(refused.header('ratelimit')).toMatch(/^"key";r=98;t=\d+, "ip";r=0;t=\d+$/);
  expect(await statuses(publish(broker, '2001:db8:0:1::1'))).toEqual([200]);
});

test('after the window ends, publishes are accepted again', async () => {
  const broker = await start({ SLUICE_PUBLISH_RATE_PER_KEY: '1/s', ...KEYS });
  await publish(broker, '');
  await expect.poll(async () => (await publish(broker, '')).status).toBe(429);
  await expect.poll(async () => (await publish(broker, '')).status).toBe(200);
});

describe('with Redis', () => {
  test('replicas share the count, and the count holds no key', async () => {
    const env = {
      ...KEYS,
      REDIS_URL: redis.url,
      SLUICE_REDIS_PREFIX: 'shared:',
      SLUICE_PUBLISH_RATE_PER_KEY: '4/h',
    };
    const replicas = await Promise.all([start(env), start(env)]);
    await Promise.all(replicas.map((replica) => replica.logged('redis: up')));
    const seen: number[] = [];
    for (let i = 0; i < 8; i++)
      for (const replica of replicas) seen.push((await publish(replica, '')).status);
    const uncounted = await Promise.all(
      replicas.map(async ({ url }) => (await readMetrics(url)).get('sluice_publish_rate_uncounted_total')),
    );
    // On a busy machine the count may time out. The broker then accepts the publish, and reports it.
    const letThrough = (uncounted[0] ?? 0) + (uncounted[1] ?? 0);
    const taken = seen.filter((status) => status === 200).length;
    expect(taken).toBeGreaterThanOrEqual(4);
    expect(taken).toBeLessThanOrEqual(4 + letThrough);
    for (const replica of replicas)
      await expect.poll(async () => (await publish(replica, '')).status).toBe(429);
    const names = await redis.cli('keys', 'shared:rate:*');
    expect(names.trim().split('\n')).toHaveLength(1);
    expect(await redis.cli('keys', '*')).not.toContain('long-key');
    expect(Number(await redis.cli('pttl', names.trim()))).toBeGreaterThan(0);
  });

  test('a hanging or missing Redis delays a publish by a second at most, and causes no 429', async () => {
    const broker = await start({ ...KEYS, REDIS_URL: redis.url, SLUICE_PUBLISH_RATE_PER_KEY: '1/h' });
    await broker.logged('redis: up');
    await publish(broker, '');
    await expect.poll(async () => (await publish(broker, '')).status).toBe(429);
    await redis.pause();
    const began = performance.now();
    const answer = await publish(broker, '');
    const took = performance.now() - began;
    await redis.resume();
    expect(answer.status).toBe(503);
    expect(answer.header('retry-after')).toBe('1');
    // Redis connections are given up after 4 s. The answer has not waited for that.
    expect(took).toBeLessThan(3_000);
    expect((await readMetrics(broker.url)).get('sluice_publish_rate_uncounted_total')).toBeGreaterThan(0);
    await expect.poll(async () => (await publish(broker, '')).status).toBe(429);
  });
});
