import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseChannelName } from '../../src/core/channel-name.ts';
import { ORIGIN } from '../../src/core/event.ts';
import { ClusterFollower } from '../../src/logs/redis/cluster-follower.ts';
import { parseRedisAddress } from '../../src/core/redis-address.ts';
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
  const keys = new RedisKeys('follower:');
  const follower = new ClusterFollower({
    cluster,
    keys,
    tail: async () => ORIGIN,
    connect: (node) => {
      const connection = connectNodeSubscriber(address, {}, node);
      connections.push(connection);
      return connection;
    },
  });
  await cluster.connect();
  const channel = parseChannelName('news');
  const nodeKey = `127.0.0.1:${(await servers.masterOf(keys.live(channel))).port}`;
  const following = follower.follow(channel, new Listener());
  expect(follower.isDeafTo(nodeKey)).toBeUndefined();
  await following.started;
  expect(follower.isDeafTo(nodeKey)).toBeUndefined();

  const [connection] = connections as [Redis];
  const closed = once(connection, 'close');
  const ready = once(connection, 'ready');
  connection.disconnect(true);
  await closed;
  expect(follower.isDeafTo(nodeKey)).toBeDefined();
  await ready;
  expect(follower.isDeafTo(nodeKey)).toBeUndefined();
  following.stop();
  follower.close();
  cluster.disconnect();
});
