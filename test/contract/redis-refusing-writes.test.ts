import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import type { LogTrouble } from '../../src/events/log-trouble.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';
import { Listener } from '../support/listener.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { PREFIX, appendTexts, freshChannel, newRedisLog } from '../support/redis-log-fixture.ts';
import { startRedis } from '../support/redis-server.ts';
import { startRedisGroup } from '../support/redis-group.ts';
import type { RedisGroup, RedisNode } from '../support/redis-group.ts';
import { serverPorts } from '../support/server-ports.ts';

const urlOf = ({ port }: RedisNode): string => `redis://127.0.0.1:${port}`;

/** Reads write nothing and need no right to write. Kept events can be read while Redis refuses every write. */
describe('a Redis that refuses writes', () => {
  const keys = freshChannel();
  let group: RedisGroup;
  let redis: RedisNode;
  let replica: RedisNode;
  let ids: EventId[];
  let withState: ChannelName;

  beforeAll(async () => {
    const [port = 0, replicaPort = 0] = await serverPorts(2);
    const common = ['appendonly no', 'save ""', 'repl-diskless-sync-delay 0'];
    group = await startRedisGroup([
      { port, config: common },
      { port: replicaPort, config: [...common, `replicaof 127.0.0.1 ${port}`] },
    ]);
    [redis, replica] = group.nodes as [RedisNode, RedisNode];
    const log = await openRedisLog({
      url: urlOf(redis),
      prefix: PREFIX,
      idempotencyTtl: 600_000,
    });
    const keyed = new KeyedChannel(log);
    withState = keyed.name;
    await keyed.set('a', '1');
    ids = await appendTexts(log, keys.channel, ['a', 'b', 'c', 'd']);
    await log.close();
    const user =
      'ACL SETUSER reader on >secret ~* &* -@all +@read +@connection +@pubsub +eval +evalsha +time +info';
    await redis.cli(...user.split(' '));
  });
  afterAll(() => group.stop());

  const expectReadable = async (
    url: string,
    refusal: { code: string; trouble?: LogTrouble },
  ): Promise<void> => {
    const log = newRedisLog(url);
    await expect.poll(() => log.rewind(keys.channel, 0, POLICY).catch(String)).toBe(ids[3]);
    const page = await log.read(keys.channel, ORIGIN, 100, POLICY);
    expect(page).toMatchObject({ complete: true, tail: ids[3] });
    expect(page.events.map(({ id }) => id)).toEqual(ids);
    expect((await log.read(keys.channel, ids[1] as EventId, 100, POLICY)).events.map(({ id }) => id)).toEqual(
      ids.slice(2),
    );
    expect(await log.rewind(keys.channel, 2, POLICY)).toBe(ids[1]);
    const { events } = await log.readLatest(withState, undefined, { limit: 10, maxBytes: 1_000 });
    expect(events.map(({ record }) => record.toString())).toEqual([encodeRecord({ key: 'a', data: '1' })]);
    const listener = new Listener();
    const stop = log.follow(keys.channel, listener);
    expect(await listener.following()).toBe(ids[3]);
    stop();
    await expect(appendOne(log, keys.channel, 'x')).rejects.toMatchObject(refusal);
    await log.close();
  };

  test('because it is a replica', async () => {
    await expect.poll(() => replica.cli('xlen', keys.log)).toBe('4');
    await expectReadable(urlOf(replica), { code: 'log-unavailable', trouble: 'READONLY' });
  });

  test('because the user may only read', async () => {
    const url = urlOf(redis).replace('://', '://reader:secret@');
    await expectReadable(url, { code: 'log-unavailable' });
  });

  test('because too few replicas are connected', async () => {
    await redis.cli('config', 'set', 'min-replicas-to-write', '5');
    await expectReadable(urlOf(redis), { code: 'log-unavailable', trouble: 'NOREPLICAS' });
    await redis.cli('config', 'set', 'min-replicas-to-write', '0');
  });

  test('because it is out of memory', async () => {
    await redis.cli('config', 'set', 'maxmemory', '1');
    await expectReadable(urlOf(redis), { code: 'log-full', trouble: 'OOM' });
    // Several events: none is appended, and no idempotency key is remembered.
    const log = newRedisLog(urlOf(redis));
    await expect.poll(() => log.rewind(keys.channel, 0, POLICY).catch(String)).toBe(ids[3]);
    const many = Array.from({ length: 50 }, (_, i) => ({ data: String(i) }));
    const options = { policy: POLICY, idempotencyKey: 'many' };
    await expect(log.append(keys.channel, many, options)).rejects.toMatchObject({ code: 'log-full' });
    expect(await redis.cli('exists', keys.idempotency('many'))).toBe('0');
    expect(await redis.cli('xlen', keys.log)).toBe('4');
    await log.close();
    await redis.cli('config', 'set', 'maxmemory', '0');
  });
});

test('because saving to disk has failed', async () => {
  const keys = freshChannel();
  // No file can be made in this folder.
  const redis = await startRedis({ args: ['--dir', '/proc', '--stop-writes-on-bgsave-error', 'yes'] });
  const log = newRedisLog(redis.url);
  try {
    await expect.poll(() => log.rewind(keys.channel, 0, POLICY).catch(String)).toBe(ORIGIN);
    const [id] = await appendTexts(log, keys.channel, ['a']);
    await redis.cli('config', 'set', 'save', '1 1');
    await redis.cli('bgsave');
    await expect.poll(() => redis.cli('info', 'persistence')).toContain('rdb_last_bgsave_status:err');
    await expect(appendOne(log, keys.channel, 'x')).rejects.toMatchObject({
      trouble: 'MISCONF',
    });
    expect(await log.read(keys.channel, ORIGIN, 10, POLICY)).toMatchObject({
      events: [{ id }],
      complete: true,
    });
    expect(await log.rewind(keys.channel, 1, POLICY)).toBe(ORIGIN);
  } finally {
    await log.close();
    await redis.stop();
  }
});
