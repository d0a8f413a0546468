import { afterEach, describe, expect, test, vi } from 'vitest';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisSentinels } from '../support/redis-sentinels.ts';
import { Stage } from '../support/stage.ts';

// Sentinels and cluster nodes have their own time-outs, and need more time.
vi.setConfig({ testTimeout: 90_000 });

/** How many events are published before, and after, a fault. */
const SOME = 150;
const LOG = 'sluice:{news}:log';

let stage: Stage;
afterEach(() => stage.close());

describe('Sentinel', () => {
  test('promotes the replica after the master is killed: no replicated event is missing or repeated', async () => {
    const redis = await startRedisSentinels();
    stage = await Stage.on(redis);
    await stage.addReaders(2);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    await redis.master.signal('KILL');
    await redis.promoted();
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('promotes a replica that lacks the newest events: acknowledged events are lost, and every reader gets a gap', async () => {
    const redis = await startRedisSentinels();
    stage = await Stage.on(redis);
    await stage.addReaders(2);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    // From now on the master acknowledges events that the replica never gets.
    await redis.replica.cli('replicaof', '127.0.0.1', '1');
    await publisher.reached(SOME + 50);
    await redis.master.signal('KILL');
    await redis.promoted();
    await publisher.reached(2 * SOME + 50);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBeGreaterThanOrEqual(stage.readers.length);
  });
});

describe('a Cluster', () => {
  test('loses a master: its channels continue on the promoted replica', async () => {
    const redis = await startRedisCluster();
    stage = await Stage.on(redis);
    await stage.addReaders(2);
    const publisher = stage.publisher({ retries: false });
    await publisher.reached(SOME);
    const master = await redis.masterOf(LOG);
    await master.signal('KILL');
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
  });

  test('moves a slot while its channel is published to: no event is missing or repeated', async () => {
    const redis = await startRedisCluster();
    stage = await Stage.on(redis);
    await stage.addReaders(2);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    await redis.moveSlot(LOG);
    await publisher.reached(2 * SOME);
    await redis.moveSlot(LOG);
    await publisher.reached(3 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
  });
});

test('SLUICE_REDIS_WAIT_REPLICAS: an event that too few replicas have is not acknowledged', async () => {
  const redis = await startRedisSentinels();
  stage = await Stage.on(redis, { replicas: 1, env: { SLUICE_REDIS_WAIT_REPLICAS: '1' } });
  const broker = stage.broker(0);
  const publish = (): Promise<Response> =>
    fetch(`${broker.url}/publish/news`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}` },
      body: 'x',
    });
  // On a busy machine the replica may confirm after WAIT has given up. The next attempt then succeeds.
  await expect.poll(async () => (await publish()).status).toBe(200);
  await redis.replica.signal('KILL');
  const answer = await publish();
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('1');
  expect(await answer.json()).toMatchObject({
    type: 'urn:sluice:problem:log-unavailable',
    detail: expect.stringContaining('Too few replicas') as string,
  });
});
