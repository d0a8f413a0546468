import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { startBroker } from '../support/broker.ts';
import type { Broker } from '../support/broker.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

/** Readers of a channel of large events affect that channel alone, and not publishers on other channels. */

const EVENTS = 300;
/** How many bytes a reader reads before the test knows its cost. */
const ENOUGH = 60_000_000;

let redis: RedisServer;
let broker: Broker;
beforeAll(async () => {
  redis = await startRedis();
  const log = await openRedisLog({
    url: redis.url,
    prefix: 'sluice:',
    idempotencyTtl: 60_000,
  });
  const channel = parseChannelName('large');
  const data = 'x'.repeat(1_000_000);
  const policy = { size: 1_000, ttl: 3_600_000 };
  for (let i = 0; i < EVENTS; i++) await log.append(channel, [{ data }], { policy });
  await log.close();
  broker = await startBroker({ REDIS_URL: redis.url });
  await broker.logged('redis: up');
});
afterAll(async () => {
  await broker.kill();
  await redis.stop();
});

/** Opens a stream and reads this many bytes. */
async function read(query: string, bytes: number): Promise<void> {
  const abort = new AbortController();
  const { body } = await fetch(`${broker.url}/events/large?${query}`, { signal: abort.signal });
  let received = 0;
  try {
    for await (const chunk of body as ReadableStream<Uint8Array>) {
      received += chunk.length;
      if (received >= bytes) break;
    }
  } finally {
    abort.abort();
  }
  expect(received).toBeGreaterThanOrEqual(bytes);
}

test.each(['last=300', 'last_event_id=earliest'])(
  'no publish on another channel is refused while %s is read',
  async (query) => {
    const reader = { done: false };
    const all = read(query, ENOUGH).finally(() => {
      reader.done = true;
    });
    let published = 0;
    while (!reader.done) {
      // `publish` rejects for any answer but 200.
      await broker.publish('elsewhere', 'small');
      published++;
    }
    await all;
    expect(published).toBeGreaterThan(10);
  },
);
