import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { startRedis } from '../support/redis-server.ts';
import { Stage } from '../support/stage.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import type { TcpRelay } from '../support/tcp-relay.ts';

/** How many events are published before, and after, a fault. */
const SOME = 150;

let stage: Stage;
let relay: TcpRelay;
afterEach(async () => {
  await stage.close();
  await relay.close();
});

test.each([2, 9])(
  'packets between the replicas and Redis are dropped for %i s: no FIN, no RST',
  async (seconds) => {
    const redis = await startRedis();
    relay = await startTcpRelay(redis.port);
    const url = relay.url.replace('http:', 'redis:');
    stage = await Stage.on({ url, stop: () => redis.stop() });
    await stage.addReaders(2);
    const publisher = stage.publisher();
    await publisher.reached(SOME);
    relay.goDumb();
    // The duration of the fault is what is tested; the test waits for nothing here.
    await delay(seconds * 1000);
    const down = stage.brokers.map((broker) => broker.logged('redis: down'));
    if (seconds > 5) await Promise.all(down);
    relay.speakAgain();
    await publisher.reached(2 * SOME);
    const verdict = await stage.finish();
    expect(verdict.breaches).toEqual([]);
    expect(verdict.gaps).toBe(0);
    expect(stage.readers.map(({ connections }) => connections)).toEqual(stage.readers.map(() => 1));
  },
);

test('connections to Redis drop everything for ever without a sign: replicas open new ones', async () => {
  const redis = await startRedis();
  relay = await startTcpRelay(redis.port);
  stage = await Stage.on(redis, { replicas: 1 });
  await stage.addReplica({ REDIS_URL: relay.url.replace('http:', 'redis:') });
  await stage.addReaders(2);
  const publisher = stage.publisher({ urls: [stage.broker(0).url] });
  await publisher.reached(SOME);
  const before = relay.accepted;
  relay.abandonOpen();
  await expect.poll(() => relay.accepted, { timeout: 20_000 }).toBeGreaterThanOrEqual(before + 2);
  await publisher.reached(publisher.acknowledged.length + SOME);
  const verdict = await stage.finish();
  expect(verdict.breaches).toEqual([]);
  expect(verdict.gaps).toBe(0);
});

test('one replica alone loses Redis without a sign: its readers catch up, and the other readers see no fault', async () => {
  const redis = await startRedis();
  relay = await startTcpRelay(redis.port);
  stage = await Stage.on(redis, { replicas: 1 });
  await stage.addReplica({ REDIS_URL: relay.url.replace('http:', 'redis:') });
  await stage.addReaders(2);
  const publisher = stage.publisher({ urls: [stage.broker(0).url] });
  await publisher.reached(SOME);
  relay.goDumb();
  await stage.broker(1).logged('redis: down');
  await publisher.reached(publisher.acknowledged.length + SOME);
  relay.speakAgain();
  await publisher.reached(publisher.acknowledged.length + SOME);
  const verdict = await stage.finish();
  expect(verdict.breaches).toEqual([]);
  expect(verdict.gaps).toBe(0);
});
