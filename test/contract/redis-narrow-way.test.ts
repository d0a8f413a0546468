import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ORIGIN } from '../../src/events/event.ts';
import type { LogHealth } from '../../src/log/event-log.ts';
import { POLICY } from '../support/append-one.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, appendTexts, freshChannel, newRedisLog } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** On a slow connection a page can take long to arrive. That delays its reader alone. */

/**
 * How many bytes pass on a connection before it is held up. A page of large events is longer; every other answer is
 * shorter.
 */
const PASSES = 200_000;

let redis: RedisServer;
let relay: Server;
const sockets = new Set<Socket>();
let held = 0;

beforeAll(async () => {
  redis = await startRedis();
  relay = createServer((inner) => {
    const outer = connect({ port: redis.port, host: '127.0.0.1' });
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    inner.on('close', () => outer.destroy()).pipe(outer);
    let passed = 0;
    outer.on('data', (chunk) => {
      passed += chunk.length;
      inner.write(chunk);
      if (passed < PASSES) return;
      outer.pause();
      held++;
    });
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  relay.close();
  await redis.stop();
});

test('while a page is held up, events are published and announced, and Redis does not count as down', async () => {
  const [large, other] = [freshChannel(), freshChannel()];
  const direct = newRedisLog(redis.url);
  await expect.poll(() => direct.rewind(large.channel, 0, POLICY).catch(String)).toBe(ORIGIN);
  await appendTexts(direct, large.channel, ['x'.repeat(1_000_000)]);
  await direct.close();

  const seen: LogHealth[] = [];
  const { port } = relay.address() as AddressInfo;
  const log = await openRedisLog({
    url: `redis://127.0.0.1:${port}`,
    prefix: PREFIX,
    idempotencyTtl: 60_000,
  });
  // The connection for reads is opened by the first read.
  const clients = async (): Promise<string> => {
    await log.rewind(other.channel, 0, POLICY);
    return await redis.cli('client', 'list');
  };
  await expect.poll(clients).toMatch(/name=sluice-reads .* cmd=eval/);
  const page = log.read(large.channel, ORIGIN, 10, POLICY);
  const outcome = page.catch((error: unknown) => error);
  await expect.poll(() => held).toBe(1);
  const ids = await appendTexts(log, other.channel, Array.from({ length: 50 }, String));
  expect(ids).toHaveLength(50);
  seen.push(await log.health());
  // The read fails in the end, and does not affect publishing.
  expect(await outcome).toMatchObject({ code: 'log-unavailable' });
  ids.push(...(await appendTexts(log, other.channel, ['after'])));
  seen.push(await log.health());
  expect(seen.map(({ up }) => up)).toEqual([true, true]);
  await log.close();
});
