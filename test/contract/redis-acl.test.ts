import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventLog } from '../../src/log/event-log.ts';
import { asUser, documentedUser } from '../support/documented-user.ts';
import type { DocumentedUser } from '../support/documented-user.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { eventLogContract } from './event-log-contract.ts';
import type { ContractOptions } from './event-log-contract.ts';

/** The users of deploy/redis-users.txt have every right that a broker needs: Redis refuses no command. */

const openLog = (url: string, user: DocumentedUser, options: ContractOptions): Promise<EventLog> =>
  openRedisLog({ ...options, url: asUser(url, user), prefix: 'sluice:' });

describe('as the user with the fewest rights, on one server', () => {
  const user = documentedUser('sluice');
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.cli(...user.command);
  });
  afterAll(() => redis.stop());

  eventLogContract((options) => openLog(redis.url, user, options));

  test('Redis has refused nothing', async () => {
    expect(await redis.cli('acl', 'log')).toBe('');
  });
});

describe('as the user with the fewest rights, in a cluster', () => {
  const user = documentedUser('sluice-cluster');
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    await Promise.all(cluster.nodes.map((node) => node.cli(...user.command)));
  });
  afterAll(() => cluster.stop());

  eventLogContract((options) => openLog(cluster.url, user, options));

  test('Redis has refused nothing', async () => {
    expect(await Promise.all(cluster.nodes.map((node) => node.cli('acl', 'log')))).toEqual(
      cluster.nodes.map(() => ''),
    );
  });
});
