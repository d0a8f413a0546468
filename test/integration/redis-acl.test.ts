import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { asUser, documentedUser } from '../support/documented-user.ts';
import { expectRedisDown } from '../support/expect-redis-down.ts';
import { redisCommand } from '../support/redis-command.ts';
import { startRedisSentinels } from '../support/redis-sentinels.ts';
import type { RedisSentinels } from '../support/redis-sentinels.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

const user = documentedUser('sluice');

let broker: Broker;
afterEach(() => broker.kill());

describe('with the user of fewest rights', () => {
  let redis: RedisServer;
  /** Runs a command as a user with every right. */
  const admin = (...args: string[]): Promise<string> => {
    const { hostname: host, port } = new URL(redis.url);
    return redisCommand({ host, port: Number(port) }, args, ['admin', 'all']);
  };

  beforeAll(async () => {
    redis = await startRedis();
    await redis.cli('ACL', 'SETUSER', 'admin', 'on', '>all', '~*', '&*', '+@all');
    await redis.cli(...user.command);
    await redis.cli('ACL', 'SETUSER', 'default', 'off');
  });
  afterAll(() => redis.stop());

  test('a broker is ready, publishes, serves, and resumes after its connections were killed', async () => {
    broker = await startBroker({
      REDIS_URL: `${asUser(redis.url, user)}/1`,
      SLUICE_REDIS_WAIT_REPLICAS: '0',
    });
    await broker.logged('redis: up');
    expect((await fetch(`${broker.url}/readyz`)).status).toBe(200);
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const ids = [await broker.publish('news', 'first')];
    expect(await stream.next()).toMatchObject({ id: ids[0] });

    await admin('client', 'kill', 'type', 'pubsub');
    await admin('client', 'kill', 'type', 'normal');
    await broker.logged('redis: down');
    await expect
      .poll(() =>
        broker.publish('news', 'second').then(
          (id) => ids.push(id),
          () => 0,
        ),
      )
      .toBeGreaterThan(1);
    await stream.when(({ events }) => events.at(-1)?.id === ids.at(-1));
    // This subscriber reads from the log; the other one gets announcements.
    const late = await openStream(`${broker.url}/events/news?last=2`);
    const events = await late.until('sluice:ready');
    expect(events.slice(0, -1).map(({ id }) => id)).toEqual(ids);
    expect(await admin('acl', 'log')).toBe('');
    expect(broker.log().join('\n')).not.toContain(user.password);
  });

  test('an event that replicas have to confirm is refused because of the replicas, and not because of a missing right', async () => {
    broker = await startBroker({ REDIS_URL: asUser(redis.url, user), SLUICE_REDIS_WAIT_REPLICAS: '1' });
    await expectRedisDown(broker, /NOREPLICAS/);
    // A busy machine may take longer than a publish waits for Redis.
    await expect.poll(() => broker.publish('news', 'x').catch(String)).toContain('Too few replicas');
    expect(await admin('acl', 'log')).toBe('');
  });

  test('Redis refuses a broker with another prefix, and the broker reports it', async () => {
    broker = await startBroker({ REDIS_URL: asUser(redis.url, user), SLUICE_REDIS_PREFIX: 'other:' });
    await expectRedisDown(broker, /NOPERM/);
    await expect(broker.publish('news', 'x')).rejects.toThrow(/with 503: .*log-unavailable/);
    await admin('acl', 'log', 'reset');
  });
});

describe('behind Sentinels that have users of their own', () => {
  const sentinelUser = documentedUser('sluice-sentinel');
  let sentinels: RedisSentinels;
  beforeAll(async () => {
    sentinels = await startRedisSentinels();
    for (const node of [sentinels.master, sentinels.replica]) await node.cli(...user.command);
    for (const node of sentinels.sentinels) await node.cli(...sentinelUser.command);
  });
  afterAll(() => sentinels.stop());

  test('a broker finds the master, and no server refuses a command', async () => {
    const { name, password } = sentinelUser;
    const url = `${asUser(sentinels.url, user)}?sentinelUsername=${name}&sentinelPassword=${password}`;
    broker = await startBroker({ REDIS_URL: url, SLUICE_REDIS_WAIT_REPLICAS: '1' });
    await broker.logged('redis: up');
    const stream = await openStream(`${broker.url}/events/news`);
    await stream.until('sluice:ready');
    const id = await broker.publish('news', 'x');
    expect(await stream.next()).toMatchObject({ id });
    expect(await sentinels.master.cli('acl', 'log')).toBe('');
    for (const node of sentinels.sentinels) {
      const refused = [...(await node.cli('acl', 'log')).matchAll(/^object\n(.+)$/gm)].map(
        ([, what]) => what,
      );
      expect(refused.filter((what) => what !== 'client|setinfo')).toEqual([]);
    }
  });
});
