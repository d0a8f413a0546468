import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { asUser, documentedUser } from '../support/documented-user.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

// A Redis that answers but refuses. The broker reports it everywhere, each time with Redis' own first word.

let redis: RedisServer;
let broker: Broker;
beforeAll(async () => {
  // Some of the tests change Redis' data folder while it runs.
  redis = await startRedis({ args: ['--enable-protected-configs', 'yes'] });
});
afterAll(() => redis.stop());
afterEach(() => broker.kill());

const idOf = (clients: string): string | undefined => /^id=(\d+)/.exec(clients)?.[1];

const linesOf = (text: string): Record<string, unknown>[] =>
  broker
    .log()
    .filter((line) => line.includes(text))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

async function problemOf(channel = 'news'): Promise<string> {
  const answer = await fetch(`${broker.url}/publish/${channel}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${broker.key}` },
    body: 'x',
  });
  const { detail = '' } = (await answer.json()) as { detail?: string };
  return `${answer.status} ${detail}`;
}

async function readiness(): Promise<string> {
  const answer = await fetch(`${broker.url}/readyz`);
  const { checks } = (await answer.json()) as { checks: { log: string } };
  return checks.log;
}

/** Waits until the broker reports this word everywhere; then until everything is well again. */
async function expectTold(word: string, heal: () => Promise<unknown>): Promise<void> {
  await expect.poll(readiness).toMatch(new RegExp(`^down: .*${word}`));
  const metrics = await readMetrics(broker.url);
  expect(metrics.get('sluice_log_up')).toBe(0);
  const reasons = [...metrics].filter(([name, value]) => name.startsWith('sluice_log_down{') && value === 1);
  expect(reasons.map(([name]) => name)).toEqual([`sluice_log_down{reason="${word}"}`]);
  await expect.poll(() => linesOf('redis: down').map(({ reason }) => reason)).toContain(word);
  expect(await problemOf()).toMatch(new RegExp(`^503 .*\\(${word}\\)`));
  const ups = linesOf('redis: up').length;
  await heal();
  await expect.poll(readiness).toBe('up');
  expect(await problemOf()).toMatch(/^200/);
  expect(linesOf('redis: up').length).toBe(ups + 1);
}

async function connected(env: Record<string, string> = {}): Promise<void> {
  broker = await startBroker({ REDIS_URL: redis.url, ...env });
  await broker.logged('redis: up');
}

describe('refusals of a running Redis are reported with their word', () => {
  test('READONLY: it becomes a replica', async () => {
    await connected();
    await redis.cli('replicaof', '127.0.0.1', '1');
    await expectTold('READONLY', () => redis.cli('replicaof', 'no', 'one'));
  });

  test('MISCONF: a background save has failed', async () => {
    await connected();
    const [, folder = ''] = (await redis.cli('config', 'get', 'dir')).split('\n');
    await redis.cli('config', 'set', 'save', '3600 1');
    await redis.cli('config', 'set', 'dir', '/proc');
    await redis.cli('bgsave');
    await expect.poll(() => redis.cli('info', 'persistence')).toMatch(/rdb_last_bgsave_status:err/);
    await expectTold('MISCONF', () => redis.cli('config', 'set', 'save', '', 'dir', folder));
  });

  test('NOREPLICAS: it has fewer replicas than min-replicas-to-write', async () => {
    await connected();
    await redis.cli('config', 'set', 'min-replicas-to-write', '1');
    await expectTold('NOREPLICAS', () => redis.cli('config', 'set', 'min-replicas-to-write', '0'));
  });

  test('NOREPLICAS: it has fewer replicas than SLUICE_REDIS_WAIT_REPLICAS', async () => {
    broker = await startBroker({ REDIS_URL: redis.url, SLUICE_REDIS_WAIT_REPLICAS: '1' });
    await expect.poll(readiness).toMatch(/^down: NOREPLICAS/);
    expect(await problemOf()).toMatch(/^503 Too few replicas .*\(NOREPLICAS\)/);
  });

  test('OOM: its memory is used up', async () => {
    await connected();
    await redis.cli('config', 'set', 'maxmemory', '1');
    await expectTold('OOM', () => redis.cli('config', 'set', 'maxmemory', '0'));
  });

  test.each(['xadd', 'pexpire', 'publish', 'llen', 'lindex', 'xrevrange'])(
    'NOPERM: the user loses a right that an append needs: %s',
    async (right) => {
      const user = documentedUser('sluice');
      await redis.cli(...user.command);
      await connected({ REDIS_URL: asUser(redis.url, user) });
      await redis.cli('acl', 'setuser', 'sluice', `-${right}`);
      await expectTold('NOPERM', () => redis.cli('acl', 'setuser', 'sluice', `+${right}`));
    },
  );

  test('NOPERM: the user may write, and may not subscribe', async () => {
    const user = documentedUser('sluice');
    await redis.cli(...user.command);
    await redis.cli('acl', 'setuser', 'sluice', '-subscribe');
    broker = await startBroker({ REDIS_URL: asUser(redis.url, user) });
    await expect.poll(readiness).toMatch(/^down: NOPERM .*subscribe/);
    const answer = await fetch(`${broker.url}/disconnect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
      body: '{"channel":"news"}',
    });
    expect(await answer.json()).toMatchObject({ detail: expect.stringContaining('(NOPERM)') as string });
  });

  test('WRONGPASS and NOAUTH: its password is changed', async () => {
    const secret = 'mangosteen';
    await redis.cli('acl', 'setuser', 'app', 'on', '>old-mangosteen', '~*', '&*', '+@all');
    await connected({ REDIS_URL: redis.url.replace('//', '//app:old-mangosteen@') });
    await redis.cli('acl', 'setuser', 'app', 'resetpass', '>new-mangosteen');
    await redis.cli('client', 'kill', 'user', 'app');
    await expectTold('WRONGPASS', () => redis.cli('acl', 'setuser', 'app', '>old-mangosteen'));
    expect(broker.log().join('\n')).not.toContain(secret);
  });

  test('NOAUTH: it asks for a password that the broker does not have', async () => {
    const locked = await startRedis();
    await locked.cli('config', 'set', 'requirepass', 'mangosteen');
    broker = await startBroker({ REDIS_URL: locked.url });
    await expect.poll(readiness).toMatch(/^down: NOAUTH/);
    await broker.logged('NOAUTH');
    await locked.stop();
  });
});

test('LOADING: it loads much data after a restart', async () => {
  // One millisecond for each key, and Redis answers after every thousand keys.
  const slow = await startRedis({ appendonly: true, args: ['--key-load-delay', '500'] });
  await slow.cli('eval', "for i = 1, 8000 do redis.call('SET', 'k' .. i, 'x') end", '0');
  broker = await startBroker({ REDIS_URL: slow.url });
  await broker.logged('redis: up');
  const back = slow.restart();
  await broker.logged('LOADING');
  await expect
    .poll(() => readMetrics(broker.url))
    .toSatisfy(
      (metrics: ReadonlyMap<string, number>) => metrics.get('sluice_log_down{reason="LOADING"}') === 1,
    );
  await back;
  await expect.poll(readiness).toBe('up');
  await slow.stop();
});

test('a channel whose key has another type is refused with that word, one log line reports it, and other channels go on', async () => {
  await connected();
  await redis.cli('set', 'sluice:{strange}:log', 'x');
  for (let i = 0; i < 5; i++) expect(await problemOf('strange')).toMatch(/^503 .*\(WRONGTYPE\)/);
  expect(await problemOf('news')).toMatch(/^200/);
  expect(await readiness()).toBe('up');
  expect(linesOf('redis: refuses').map(({ reason }) => reason)).toEqual(['WRONGTYPE']);
});

test('a replica in REDIS_URL is reported in a few lines, with any number of publishes', async () => {
  await redis.cli('replicaof', '127.0.0.1', '1');
  broker = await startBroker({ REDIS_URL: redis.url });
  await expect.poll(readiness).toMatch(/^down: READONLY/);
  const before = broker.log().length;
  for (let i = 0; i < 100; i++) expect(await problemOf()).toMatch(/^503/);
  expect(broker.log().length - before).toBeLessThan(4);
  expect(linesOf('redis: up')).toEqual([]);
  await redis.cli('replicaof', 'no', 'one');
  await broker.logged('redis: up');
});

test('while Redis refuses writes, announcements still count as arriving, and streams stay open', async () => {
  await connected();
  const stream = await openStream(`${broker.url}/events/news`);
  await stream.until('sluice:ready');
  await redis.cli('config', 'set', 'min-replicas-to-write', '1');
  await expect.poll(readiness).toMatch(/NOREPLICAS/);
  const clients = await redis.cli('client', 'list', 'type', 'pubsub');
  // Two probes later the connection is still the same.
  const count = linesOf('redis').length;
  const probes = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.cli('info', 'commandstats'))?.[1] ?? 0);
  const first = await probes();
  await expect.poll(probes).toBeGreaterThan(first + 2);
  expect(idOf(await redis.cli('client', 'list', 'type', 'pubsub'))).toBe(idOf(clients));
  expect(linesOf('redis').length).toBe(count);
  await redis.cli('config', 'set', 'min-replicas-to-write', '0');
  await expect.poll(readiness).toBe('up');
  const id = await broker.publish('news', 'after');
  expect(await stream.next()).toMatchObject({ id });
});

test('a connection that breaks under a publish is no refusal', async () => {
  await connected();
  await redis.pause();
  const problems = Promise.all([problemOf('a'), problemOf('b'), problemOf('c')]);
  // Asked later, so that the publishes wait for Redis by the time it is answered.
  await fetch(`${broker.url}/livez`);
  await redis.kill();
  for (const problem of await problems) expect(problem).toMatch(/^503 Redis cannot be reached\. Try again/);
  await broker.logged('redis: down');
  expect(linesOf('redis').filter((line) => JSON.stringify(line).includes('retries'))).toEqual([]);
  await redis.restart();
  await expect.poll(readiness).toBe('up');
});

describe('an eviction policy that may remove events', () => {
  test('is a warning at the start, and again when a later connection finds another policy', async () => {
    await redis.cli('config', 'set', 'maxmemory-policy', 'allkeys-lru');
    await connected();
    await broker.logged('maxmemory-policy');
    await redis.cli('config', 'set', 'maxmemory-policy', 'volatile-ttl');
    await redis.cli('client', 'kill', 'type', 'normal');
    await broker.logged('volatile-ttl');
    expect(linesOf('maxmemory-policy').map(({ policy }) => policy)).toEqual(['allkeys-lru', 'volatile-ttl']);
    await redis.cli('config', 'set', 'maxmemory-policy', 'noeviction');
  });
});
