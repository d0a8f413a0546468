import { afterAll, beforeAll, test } from 'vitest';
import type { EventId } from '../../src/events/event.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, freshChannel } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { MODEL_CASES, runEventLogModel } from './event-log-model.ts';
import type { ModelledLog } from './event-log-model.ts';

let redis: RedisServer;
let log: RedisEventLog;
let keysDropped = 0;
beforeAll(async () => {
  redis = await startRedis();
  log = await openRedisLog({
    url: redis.url,
    prefix: PREFIX,
    idempotencyTtl: 60_000,
    onKeysDropped: (keys) => (keysDropped += keys),
  });
});
afterAll(async () => {
  await log.close();
  await redis.stop();
});

/** An append of the version before. */
const appendAsBefore: ModelledLog['disturb'] = async (channel, prev, step) => {
  const fields = `data: old ${step}\n\n`;
  const id = (await redis.cli('xadd', freshChannel(channel).log, '*', 'p', prev, 'f', fields)) as EventId;
  return { id, record: `0${fields}` };
};

test.each(MODEL_CASES)(
  'the log in Redis keeps the newest events, from single and multiple appends of both versions: %s, seed %d',
  (_kind, seed, sizes) =>
    runEventLogModel(
      { log: () => log, keysDropped: () => keysDropped, maxDropped: 31, disturb: appendAsBefore },
      seed,
      sizes,
    ),
);
