import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { asUser, documentedUser } from '../support/documented-user.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { DEFAULTS, eventLogContract } from './event-log-contract.ts';

/** The user of deploy/redis-users.txt has every right that a broker needs, and no other. */
describe('the log in Redis, as the user with the fewest rights', () => {
  const user = documentedUser('sluice');
  const options = (): { url: string; prefix: string } => ({
    url: asUser(redis.url, user),
    prefix: 'sluice:',
  });
  let redis: RedisServer;
  beforeAll(async () => {
    redis = await startRedis();
    await redis.cli(...user.command);
  });
  afterAll(() => redis.stop());

  eventLogContract((more) => openRedisLog({ ...more, ...options() }));

  test('an announced or read event owns exactly its bytes, so keeping it keeps nothing else in memory', async () => {
    const log = await openRedisLog({ ...DEFAULTS, ...options() });
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

  test('Redis has refused nothing', async () => {
    expect(await redis.cli('acl', 'log')).toBe('');
  });
});
