import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseChannelName } from '../../src/core/channel-name.ts';
import { ORIGIN } from '../../src/core/event.ts';
import { ClusterFollower } from '../../src/logs/redis/cluster-follower.ts';
import { parseRedisAddress } from '../../src/logs/redis/redis-address.ts';
import { connectCluster, connectNodeSubscriber } from '../../src/logs/redis/redis-connections.ts';
import { RedisKeys } from '../../src/logs/redis/redis-keys.ts';
import { Listener } from '../support/listener.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';

let servers: RedisCluster;
beforeAll(async () => {
  servers = await startRedisCluster();
});
afterAll(() => servers.stop());

test('a node is away when its connection is lost, and not while the first one is being made', async () => {
  const address = parseRedisAddress(servers.url);
  if (address.kind !== 'cluster') throw new Error('a cluster has another address');
  const cluster = connectCluster(address, {});
  const connections: Redis[] = [];
  const follower = new ClusterFollower({
    cluster,
    keys: new RedisKeys('follower:'),
    tail: async () => ORIGIN,
    connect: (node) => {
      const connection = connectNodeSubscriber(address, {}, node);
      connections.push(connection);
      return connection;
    },
  });
  await cluster.connect();
  const following = follower.follow(parseChannelName('news'), new Listener());
  expect(follower.connected).toBe(true);
  await following.started;
  expect(follower.connected).toBe(true);

  const [connection] = connections as [Redis];
  const closed = once(connection, 'close');
  const ready = once(connection, 'ready');
  connection.disconnect(true);
  await closed;
  expect(follower.connected).toBe(false);
  await ready;
  expect(follower.connected).toBe(true);
  following.stop();
  follower.close();
  cluster.disconnect();
});
