import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { expectRedisDown } from '../support/expect-redis-down.ts';
import { startRedisSentinels } from '../support/redis-sentinels.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

let redis: RedisServer;
const brokers: Broker[] = [];
beforeAll(async () => {
  redis = await startRedis({ args: ['--databases', '2'] });
});
afterAll(() => redis.stop());
afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.kill()));
  await redis.cli('flushall');
});

async function start(url: string, ready = true): Promise<Broker> {
  const broker = await startBroker({ REDIS_URL: url });
  brokers.push(broker);
  if (ready) await broker.logged('redis: up');
  return broker;
}

const publishFails = (broker: Broker): Promise<void> =>
  expect(broker.publish('news', 'x')).rejects.toThrow(/with 503: .*log-unavailable/);

describe('a database that cannot be selected is reported, and database 0 is never used instead', () => {
  test('a database that the server does not have', async () => {
    const broker = await start(`${redis.url}/5`, false);
    await expectRedisDown(broker, /DB index is out of range/);
    await publishFails(broker);
    expect(await redis.cli('dbsize')).toBe('0');
    expect(await redis.cli('pubsub', 'channels')).toBe('');
    expect(broker.log().filter((line) => line.includes('redis: up'))).toEqual([]);
  });

  test('a database that the user may not select', async () => {
    await redis.cli('acl', 'setuser', 'app', 'on', '>secret', '~*', '&*', '+@all', '-select');
    const url = redis.url.replace('//', '//app:secret@');
    const broker = await start(`${url}/1`, false);
    await expectRedisDown(broker, /NOPERM/);
    await publishFails(broker);
    expect(await redis.cli('dbsize')).toBe('0');
    await redis.cli('acl', 'setuser', 'app', '+select');
    await broker.logged('redis: up');
    await broker.publish('news', 'x');
    expect(await redis.cli('exists', 'sluice:{news}:log')).toBe('0');
  });

  test('a database that is missing when Redis comes back', async () => {
    const folder = await startRedis({ args: ['--databases', '2'] });
    const broker = await start(`${folder.url}/1`);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const { port } = folder;
    await folder.kill();
    const fewer = await startRedis({ port, args: ['--databases', '1'] });
    await expect.poll(() => broker.log().join('\n')).toMatch(/redis: down.*|DB index is out of range/);
    await expect.poll(async () => (await fetch(`${broker.url}/readyz`)).text()).toContain('out of range');
    await publishFails(broker);
    expect(await fewer.cli('dbsize')).toBe('0');
    expect(await fewer.cli('pubsub', 'channels')).toBe('');
    // The process is alive, and its stream is open.
    expect((await fetch(`${broker.url}/livez`)).status).toBe(200);
    await fewer.stop();
    const enough = await startRedis({ port, args: ['--databases', '2'] });
    await expect.poll(async () => (await fetch(`${broker.url}/readyz`)).text()).toContain('"log":"up"');
    await broker.publish('news', 'after');
    await stream.when(({ events }) => events.at(-1)?.data === 'after');
    await enough.stop();
    await folder.stop();
  });

  test('a database behind Sentinels', async () => {
    const sentinels = await startRedisSentinels();
    const broker = await start(`${sentinels.url}/99`, false);
    await expectRedisDown(broker, /DB index is out of range/);
    await publishFails(broker);
    expect(await sentinels.master.cli('dbsize')).toBe('0');
    await sentinels.stop();
  });
});

describe('two brokers on two databases of one Redis', () => {
  test("do not get each other's events", async () => {
    const [zero, one] = [await start(redis.url), await start(`${redis.url}/1`)];
    const streams = [await openStream(`${zero.url}/events/news`), await openStream(`${one.url}/events/news`)];
    for (const stream of streams) await stream.until('sluice:ready');
    await zero.publish('news', 'in 0');
    await one.publish('news', 'in 1');
    await zero.publish('news', 'in 0 again');
    await one.publish('news', 'in 1 again');
    await Promise.all(
      streams.map((stream) => stream.when(({ events }) => events.at(-1)?.data.endsWith('again') === true)),
    );
    expect(streams.map((stream) => stream.events.map(({ data }) => data).slice(1))).toEqual([
      ['in 0', 'in 0 again'],
      ['in 1', 'in 1 again'],
    ]);
  });

  test("end no streams of each other, and do not wait for each other's answers", async () => {
    const [zero, one] = [await start(redis.url), await start(`${redis.url}/1`)];
    const stream = await openStream(`${zero.url}/events/news`);
    await stream.until('sluice:ready');
    const answer = await fetch(`${one.url}/disconnect`, {
      method: 'POST',
      headers: { authorization: `Bearer ${one.key}`, 'content-type': 'application/json' },
      body: '{"channel":"news"}',
    });
    expect(await answer.json()).toMatchObject({ disconnected: 0, replicas: [{}], complete: true });
    await zero.publish('news', 'still here');
    expect(await stream.next()).toMatchObject({ data: 'still here' });
  });

  test('and the names of database 0 have no suffix', async () => {
    const broker = await start(redis.url);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const names = await redis.cli('pubsub', 'channels');
    expect(names.split('\n')).toContain('sluice:{news}:live');
    expect(names).not.toContain('@0');
  });
});
