import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asUser, documentedUser } from '../support/documented-user.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { eventLogContract } from './event-log-contract.ts';

/** The user of deploy/redis-users.txt has every right that a broker needs, and no other. */
describe('the log in a Redis Cluster, as the user with the fewest rights', () => {
  const user = documentedUser('sluice-cluster');
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    await Promise.all(cluster.nodes.map((node) => node.cli(...user.command)));
  });
  afterAll(() => cluster.stop());

  eventLogContract((options) =>
    openRedisLog({ ...options, url: asUser(cluster.url, user), prefix: 'sluice:' }),
  );

  test('Redis has refused nothing', async () => {
    expect(await Promise.all(cluster.nodes.map((node) => node.cli('acl', 'log')))).toEqual(
      cluster.nodes.map(() => ''),
    );
  });
});
