import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { createAuthority } from '../support/certificates.ts';
import { expectRedisDown } from '../support/expect-redis-down.ts';
import { freePort } from '../support/free-port.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import { startRedisSentinels } from '../support/redis-sentinels.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { openStream } from '../support/sse-reader.ts';

const authority = createAuthority();
const client = authority.issue(['broker']);
/**
 * With TLS 1.3 a server refuses a certificate after the handshake. Its reason may come too late to be read, or get lost
 * in a container's network.
 */
const REFUSED = /unknown ca|certificate required|ECONNRESET|EPIPE|is closed$/;

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ tls: { authority, port: await freePort() } });
});
afterAll(() => redis.stop());

/** Settings for a Redis that asks clients for a certificate. */
function settings(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    REDIS_URL: redis.tlsUrl,
    SLUICE_REDIS_TLS_CA: authority.cert,
    SLUICE_REDIS_TLS_CERT: client.cert,
    SLUICE_REDIS_TLS_KEY: client.key,
    ...more,
  };
}

async function expectRefused(broker: Broker, reason: RegExp): Promise<void> {
  await expectRedisDown(broker, reason);
  await expect(broker.publish('news', 'x')).rejects.toThrow(/with 503: .*log-unavailable/);
}

test("events pass through a Redis with TLS and the test's own authority", async () => {
  const broker = await startBroker(settings());
  await broker.logged('redis: up');
  expect(await redis.cli('client', 'list', 'type', 'pubsub')).toContain('name=sluice-subscriber');
  const stream = await openStream(`${broker.url}/events/news`);
  await stream.until('sluice:ready');
  const id = await broker.publish('news', 'hello');
  expect(await stream.next()).toMatchObject({ id, data: 'hello' });
  await broker.kill();
});

describe('a broker is not ready, reports why, and refuses publishes', () => {
  test.each([
    ['whose CA is another', { SLUICE_REDIS_TLS_CA: createAuthority('Another').cert }, /certificate/],
    ['when the CA is unknown', { SLUICE_REDIS_TLS_CA: '' }, /certificate/],
    [
      'whose certificate Redis does not trust',
      (() => {
        const { cert, key } = createAuthority('Another').issue(['broker']);
        return { SLUICE_REDIS_TLS_CERT: cert, SLUICE_REDIS_TLS_KEY: key };
      })(),
      REFUSED,
    ],
    [
      'without a certificate, where Redis wants one',
      { SLUICE_REDIS_TLS_CERT: '', SLUICE_REDIS_TLS_KEY: '' },
      REFUSED,
    ],
  ])('%s', async (_what, more, reason) => {
    const broker = await startBroker(settings(more));
    await expectRefused(broker, reason);
    expect(broker.log().join('\n')).not.toMatch(/PRIVATE KEY/);
    await broker.kill();
  });

  test('when the certificate is for another name', async () => {
    const tls = { authority, port: await freePort(), names: ['redis.example'] };
    const other = await startRedis({ tls });
    const broker = await startBroker(settings({ REDIS_URL: other.tlsUrl }));
    await expectRefused(broker, /does not match certificate/);
    await broker.kill();
    await other.stop();
  });

  test('when the port does not speak TLS', async () => {
    const broker = await startBroker(settings({ REDIS_URL: redis.url.replace('redis:', 'rediss:') }));
    await expectRefused(broker, /./);
    await broker.kill();
  });
});

async function expectDelivery(url: string): Promise<void> {
  const broker = await startBroker(settings({ REDIS_URL: url }));
  await broker.logged('redis: up');
  // In a cluster these channels belong to different nodes.
  for (const channel of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const stream = await openStream(`${broker.url}/events/${channel}`);
    await stream.until('sluice:ready');
    const id = await broker.publish(channel, 'hello');
    expect(await stream.next()).toMatchObject({ id });
  }
  await broker.kill();
}

describe('several servers that all use TLS are reached over it', () => {
  test('behind Sentinels', async () => {
    const sentinels = await startRedisSentinels(authority);
    await expectDelivery(sentinels.url);
    await sentinels.stop();
  });

  test('in a cluster', async () => {
    const cluster = await startRedisCluster(authority);
    await expectDelivery(cluster.url);
    const broker = await startBroker(
      settings({ REDIS_URL: cluster.url, SLUICE_REDIS_TLS_CA: createAuthority('Another').cert }),
    );
    await expectRefused(broker, /certificate/);
    await broker.kill();
    await cluster.stop();
  });
});
