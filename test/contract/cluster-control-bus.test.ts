import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ControlGroup } from '../support/control-group.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { DEFAULTS, command, controlBusContract, keptBy, revocationOf } from './control-bus-contract.ts';
import { controlBusReplicas } from './control-bus-replicas.ts';

let cluster: RedisCluster;
beforeAll(async () => {
  cluster = await startRedisCluster();
});
afterAll(() => cluster.stop());

describe('the control bus in a Redis Cluster', () => {
  controlBusContract(() => new ControlGroup(cluster.url));
});

describe('replicas on one Redis Cluster', () => {
  controlBusReplicas(() => new ControlGroup(cluster.url));
});

test('when the slot moves to another node, the replicas and the kept revocations follow', async () => {
  const group = new ControlGroup(cluster.url);
  const replicas = ['one', 'two'].map(
    (replica) => new ObedientReplica(group.open({ ...DEFAULTS, replica })),
  ) as [ObedientReplica, ObedientReplica];
  const [one, two] = replicas;
  await Promise.all([one.joined(), two.joined()]);
  await one.bus.request(command(revocationOf('7')));
  await cluster.moveSlot(`${group.prefix}{@control}:commands`);
  await Promise.all([one.joined(2), two.joined(2)]);
  const { answers, missing } = await two.bus.request(command());
  expect(missing).toBe(0);
  expect(answers).toHaveLength(2);
  expect(await keptBy(one.bus)).toHaveLength(1);
  await group.close();
});
