import { once } from 'node:events';
import type { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { ClusterPubSub } from '../../src/redis/cluster-pub-sub.ts';
import { parseRedisAddress } from '../../src/redis/redis-address.ts';
import { connectCluster, connectNodeSubscriber } from '../../src/redis/redis-connections.ts';
import { NotingSubscriber } from '../support/noting-subscriber.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';

const NAME = 'pub-sub:{news}';

let servers: RedisCluster;
let cluster: Cluster;
let connections: Redis[];
let pubSub: ClusterPubSub;
beforeAll(async () => {
  servers = await startRedisCluster();
});
afterAll(() => servers.stop());
beforeEach(() => {
  const address = parseRedisAddress(servers.url);
  if (address.kind !== 'cluster') throw new Error('a cluster has another address');
  cluster = connectCluster(address, {});
  connections = [];
  pubSub = new ClusterPubSub({
    cluster,
    connect: (node) => {
      const connection = connectNodeSubscriber(address, {}, node);
      connections.push(connection);
      return connection;
    },
  });
});
afterEach(() => {
  pubSub.close();
  cluster.disconnect();
});

test('a node counts as away after its connection is lost, and not before the first connection is up', async () => {
  await cluster.connect();
  const nodeKey = `127.0.0.1:${(await servers.masterOf(NAME)).port}`;
  const subscriber = new NotingSubscriber();
  pubSub.subscribe(NAME, subscriber);
  expect(pubSub.outageAt(nodeKey)).toBeUndefined();
  await expect.poll(() => subscriber.notes).toEqual(['subscribed']);
  expect(pubSub.outageAt(nodeKey)).toBeUndefined();

  const [connection] = connections as [Redis];
  const closed = once(connection, 'close');
  const ready = once(connection, 'ready');
  connection.disconnect(true);
  await closed;
  expect(pubSub.outageAt(nodeKey)).toBeDefined();
  await ready;
  expect(pubSub.outageAt(nodeKey)).toBeUndefined();
  await expect.poll(() => subscriber.notes).toEqual(['subscribed', 'interrupted', 'subscribed']);
});

test('a subscription made before the cluster is known gets messages, also after the slot has moved, until it ends', async () => {
  const [subscriber, leaver] = [new NotingSubscriber(), new NotingSubscriber()];
  pubSub.subscribe(NAME, subscriber);
  const leave = pubSub.subscribe(NAME, leaver);
  await cluster.connect();
  await expect.poll(() => [subscriber.notes, leaver.notes]).toEqual([['subscribed'], ['subscribed']]);
  await cluster.spublish(NAME, 'one');
  await expect.poll(() => leaver.notes).toEqual(['subscribed', 'one']);
  leave();
  await servers.moveSlot(NAME);
  await expect.poll(() => subscriber.notes).toEqual(['subscribed', 'one', 'interrupted', 'subscribed']);
  await cluster.spublish(NAME, 'two');
  await expect
    .poll(() => subscriber.notes)
    .toEqual(['subscribed', 'one', 'interrupted', 'subscribed', 'two']);
  const late = new NotingSubscriber();
  pubSub.subscribe(NAME, late);
  await expect.poll(() => late.notes).toEqual(['subscribed']);
  expect(leaver.notes).toEqual(['subscribed', 'one']);
});

test('a name whose slot moves away and back at once is subscribed again', async () => {
  await cluster.connect();
  const [subscriber, other] = [new NotingSubscriber(), new NotingSubscriber()];
  const node = await servers.masterOf(NAME);
  pubSub.subscribe(NAME, subscriber);
  pubSub.subscribe(`other:${NAME}`, other);
  await expect.poll(() => [subscriber.notes, other.notes]).toEqual([['subscribed'], ['subscribed']]);
  await servers.flipSlot(NAME);
  expect(await servers.masterOf(NAME)).toBe(node);
  for (const { notes } of [subscriber, other])
    await expect.poll(() => notes).toEqual(['subscribed', 'interrupted', 'subscribed']);
  await cluster.spublish(NAME, 'one');
  await expect.poll(() => subscriber.notes.at(-1)).toBe('one');
});
