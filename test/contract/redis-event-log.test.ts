import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { DEFAULTS, eventLogContract } from './event-log-contract.ts';

describe('the log in Redis', () => {
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());

  eventLogContract((options) => openRedisLog({ ...options, url: redis.url, prefix: 'contract:' }));

  test('an announced or read event owns exactly its bytes, so keeping it keeps nothing else in memory', async () => {
    const log = await openRedisLog({ ...DEFAULTS, url: redis.url, prefix: 'contract:' });
    const channel = parseChannelName('owned');
    const listener = new Listener();
    const stop = log.follow(channel, listener);
    await listener.following();
    for (let i = 0; i < 10; i++) await appendOne(log, channel, String(i));
    await log.append(
      channel,
      Array.from({ length: 10 }, (_, i) => ({ data: String(i) })),
      { policy: POLICY },
    );
    await listener.until(() => listener.events.length === 20);
    const { events } = await log.read(channel, ORIGIN, 100, POLICY);
    expect(events).toHaveLength(20);
    for (const { record } of [...events, ...listener.events])
      expect(record.buffer.byteLength).toBe(record.length);
    stop();
    await log.close();
  });
});
