import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RedisKeys } from '../../src/redis/redis-keys.ts';
import { parseRedisAddress } from '../../src/redis/redis-address.ts';
import { connectCommands, connectSubscriber } from '../../src/redis/redis-connections.ts';
import { RedisMonitor } from '../../src/redis/redis-monitor.ts';
import { RedisScripts } from '../../src/redis/redis-scripts.ts';
import { SubscriberConnection } from '../../src/redis/subscriber-connection.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

test('pub/sub that connects before the command connection is no outage', async () => {
  const address = parseRedisAddress(redis.url);
  if (address.kind === 'cluster') throw new Error('one server has another address');
  const commands = connectCommands(address, {});
  const subscriber = connectSubscriber(address, {});
  const reports: boolean[] = [];
  const { promise: up, resolve } = Promise.withResolvers<void>();
  const keys = new RedisKeys('monitor:');
  const onHealth = (health: { up: boolean }): void => {
    reports.push(health.up);
    if (health.up) resolve();
  };
  const scripts = new RedisScripts(commands, () => '', 0);
  const name = keys.probe('a');
  const probe = async (): Promise<number> =>
    (await scripts.run('probe', keys.probed('a'), [1_000, name, 'PUBLISH'])) as number;
  const pubSub = new SubscriberConnection({ redis: subscriber });
  const monitor = new RedisMonitor({ commands, subscriber: pubSub, name, probe, onHealth });
  if (subscriber.status !== 'ready') await once(subscriber, 'ready');
  // Confirmed after the monitor's own subscription.
  const subscribed = Promise.withResolvers<void>();
  pubSub.subscribe('another', {
    onSubscribed: subscribed.resolve,
    onInterrupted: () => undefined,
    onMessage: () => undefined,
    onSubscribeRefused: subscribed.reject,
  });
  await subscribed.promise;
  // A lazy client connects only with its first command.
  if (commands.status === 'wait') await commands.connect();
  await up;
  expect(reports).toEqual([true]);
  monitor.close();
  commands.disconnect();
  pubSub.close();
});
