import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { createAuthority } from '../support/certificates.ts';
import { readMetrics } from '../support/read-metrics.ts';
import { startRedisCluster } from '../support/redis-cluster.ts';
import type { RedisCluster } from '../support/redis-cluster.ts';
import { startRedis } from '../support/redis-server.ts';
import { serverPorts } from '../support/server-ports.ts';
import { openStream } from '../support/sse-reader.ts';

describe('a cluster that has lost a master for ever', () => {
  let cluster: RedisCluster;
  let broker: Broker;
  beforeAll(async () => {
    cluster = await startRedisCluster();
    for (const node of cluster.nodes) {
      await node.cli('config', 'set', 'cluster-require-full-coverage', 'no');
      // No replica takes over.
      const isReplica = (await node.cli('role')).startsWith('slave');
      if (isReplica) await node.cli('config', 'set', 'cluster-replica-no-failover', 'yes');
    }
    broker = await startBroker({ REDIS_URL: cluster.url });
    await broker.logged('redis: up');
  });
  afterAll(async () => {
    await broker.kill();
    await cluster.stop();
  });

  const publish = (channel: string): Promise<Response> =>
    fetch(`${broker.url}/publish/${channel}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${broker.key}` },
      body: 'x',
    });
  const readiness = async (): Promise<string> => {
    const answer = await fetch(`${broker.url}/readyz`);
    const { checks } = (await answer.json()) as { checks: { log: string } };
    return `${answer.status} ${checks.log}`;
  };

  test('serves the channels of other masters, is ready, and reports the missing slots and their node', async () => {
    const lost = await cluster.masterOf('sluice:{a}:log');
    const channels = ['b', 'c', 'd', 'e', 'f', 'g'];
    const masters = await Promise.all(channels.map((channel) => cluster.masterOf(`sluice:{${channel}}:log`)));
    const other = channels[masters.findIndex(({ port }) => port !== lost.port)] ?? '';
    const stream = await openStream(`${broker.url}/events/${other}`);
    await stream.until('sluice:ready');

    await lost.signal('KILL');
    const line = JSON.parse(await broker.logged('redis: partly down')) as Record<string, unknown>;
    expect(line).toMatchObject({
      slotsDown: expect.any(Number) as number,
      reason: expect.any(String) as string,
    });
    expect(line['detail']).toMatch(new RegExp(`^127\\.0\\.0\\.1:${lost.port} \\(slots \\d+-\\d+\\): `));
    await expect.poll(readiness).toMatch(new RegExp(`^200 partly down: 127\\.0\\.0\\.1:${lost.port} `));
    const metrics = await readMetrics(broker.url);
    expect(metrics.get('sluice_log_up')).toBe(1);
    expect(metrics.get('sluice_ready')).toBe(1);
    expect([5461, 5462]).toContain(metrics.get('sluice_log_slots_down'));

    // The report has the reason for the missing connection.
    await expect.poll(readiness).toContain('ECONNREFUSED');

    // Both while the cluster agrees on the failure, and after.
    const refusal = async (): Promise<string> => `${(await publish('a')).status}`;
    expect(await refusal()).toBe('503');
    const [id] = [await broker.publish(other, 'hello')];
    expect(await stream.next()).toMatchObject({ id });
    const agreed = async (): Promise<string> =>
      await (cluster.nodes.find((node) => node !== lost) ?? lost).cli('cluster', 'nodes');
    await expect.poll(agreed).toMatch(/master,fail /);
    await expect.poll(readiness).toMatch(/^200 partly down: /);
    const answer = await publish('a');
    expect(answer.status).toBe(503);
    const { detail } = (await answer.json()) as { detail: string };
    expect(detail).toMatch(
      /The node of the Redis Cluster that has this channel is away, with \d+ slots|CLUSTERDOWN/,
    );
    for (let i = 0; i < 20; i++) {
      const next = await broker.publish(other, String(i));
      expect(await stream.next()).toMatchObject({ id: next });
    }
    expect(broker.log().filter((one) => one.includes('redis: down'))).toEqual([]);
    expect(broker.log().filter((one) => one.includes('redis: partly down')).length).toBeLessThan(8);
  });

  test('logs once when it begins to refuse everything', async () => {
    for (const node of cluster.nodes) await node.signal('KILL').catch(() => undefined);
    await broker.logged('redis: down');
    const metrics = await readMetrics(broker.url);
    expect(metrics.get('sluice_log_up')).toBe(0);
    expect(metrics.get('sluice_log_slots_down')).toBe(16_384);
    expect(await readiness()).toMatch(/ down: /);
  });
});

test('a user who lacks a right at one node is reported, with the node', async () => {
  const cluster = await startRedisCluster();
  const broker = await startBroker({ REDIS_URL: cluster.url });
  await broker.logged('redis: up');
  const node = await cluster.masterOf('sluice:{a}:log');
  await node.cli('acl', 'setuser', 'default', '-xadd');
  const line = await broker.logged('redis: partly down');
  expect(JSON.parse(line)).toMatchObject({ reason: 'NOPERM' });
  expect(line).toContain(`:${node.port} `);
  await node.cli('acl', 'setuser', 'default', '+xadd');
  await expect.poll(() => broker.log().filter((one) => one.includes('redis: up')).length).toBe(2);
  await broker.kill();
  await cluster.stop();
});

test('a cluster that is down when a broker starts is reported as down', async () => {
  const node = await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  await node.cli('cluster', 'addslotsrange', '0', '100');
  const broker = await startBroker({ REDIS_URL: `redis+cluster://127.0.0.1:1,127.0.0.1:${node.port}` });
  expect(JSON.parse(await broker.logged('CLUSTERDOWN'))).toMatchObject({ reason: 'CLUSTERDOWN' });
  await node.cli('cluster', 'addslotsrange', '101', '16383');
  await broker.logged('redis: up');
  await broker.kill();
  await node.stop();
});

test("a cluster is reached over TLS by the name in a node's certificate", async () => {
  const authority = createAuthority();
  // The cluster bus is 10,000 above the port with TLS.
  const [port = 0] = await serverPorts(1);
  const tls = { authority, port, names: ['localhost'] };
  const args = ['--cluster-enabled', 'yes', '--cluster-announce-hostname', 'localhost'];
  args.push('--cluster-preferred-endpoint-type', 'hostname', '--tls-cluster', 'yes');
  const node = await startRedis({ tls, args });
  await node.cli('cluster', 'addslotsrange', '0', '16383');
  const { cert, key } = authority.issue(['broker']);
  const broker = await startBroker({
    REDIS_URL: `rediss+cluster://localhost:${tls.port}`,
    SLUICE_REDIS_TLS_CA: authority.cert,
    SLUICE_REDIS_TLS_CERT: cert,
    SLUICE_REDIS_TLS_KEY: key,
  });
  await broker.logged('redis: up');
  const stream = await openStream(`${broker.url}/events/news`);
  await stream.until('sluice:ready');
  const id = await broker.publish('news', 'hello');
  expect(await stream.next()).toMatchObject({ id });
  await broker.kill();
  await node.stop();
});
