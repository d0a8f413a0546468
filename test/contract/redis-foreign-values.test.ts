import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ChannelPolicies } from '../../src/events/channel-policies.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { ChannelInspector } from '../../src/inspect/channel-inspector.ts';
import type { ChannelSubscribers } from '../../src/inspect/channel-subscribers.ts';
import type { RedisEventLog } from '../../src/log/redis/redis-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';
import { PREFIX, appendTexts, freshChannel } from '../support/redis-log-fixture.ts';
import type { FreshChannel } from '../support/redis-log-fixture.ts';
import { openRedisLog } from '../support/open-redis-log.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { seededRandom } from '../support/seeded-random.ts';

/**
 * Other programs may write to the same Redis. Values that they put at a broker's keys are reported or ignored, and
 * never delivered.
 */
describe('values that no broker has written', () => {
  let redis: RedisServer;
  let log: RedisEventLog;
  let keys: FreshChannel;

  const idsAfter = async (after: EventId): Promise<EventId[]> =>
    (await log.read(keys.channel, after, 256, POLICY)).events.map(({ id }) => id);
  const foreign = async (id = '*'): Promise<void> => {
    await redis.cli('xadd', keys.log, id, 'somebody', 'else');
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    keys = freshChannel();
    log = await openRedisLog({
      url: redis.url,
      prefix: PREFIX,
      idempotencyTtl: 60_000,
    });
  });
  afterEach(() => log.close());

  describe('a wrong type', () => {
    const types: readonly [string, (key: string) => readonly string[]][] = [
      ['list', (key) => ['rpush', key, 'a']],
      ['hash', (key) => ['hset', key, 'a', 'b']],
      ['stream', (key) => ['xadd', key, '*', 'a', 'b']],
      ['string', (key) => ['set', key, 'a']],
    ];
    const wrong = (['log', 'tail', 'ids'] as const).flatMap((which) =>
      types
        .filter(([type]) => type !== { log: 'stream', tail: '', ids: 'list' }[which])
        .map(([type, command]) => ({ which, type, command })),
    );

    test.each(wrong)(
      '$type at the key of $which is reported, and nothing is written',
      async ({ which, command }) => {
        await redis.cli(...command(keys[which]));
        const expected = { code: 'log-unavailable', trouble: 'WRONGTYPE' };
        await expect(appendOne(log, keys.channel, 'a')).rejects.toMatchObject(expected);
        await expect(log.read(keys.channel, '1-1' as EventId, 10, POLICY)).rejects.toMatchObject(expected);
        await expect(log.rewind(keys.channel, 3, POLICY)).rejects.toMatchObject(expected);
        expect((await redis.cli('keys', `*${keys.channel}*`)).split('\n')).toEqual([keys[which]]);
      },
    );

    test('is reported to a listener at every attempt', async () => {
      await redis.cli('rpush', keys.log, 'a');
      const listener = new Listener();
      const stop = log.follow(keys.channel, listener);
      await listener.until(() => listener.troubles.length > 1);
      expect(listener.troubles[0]).toMatchObject({ code: 'log-unavailable', trouble: 'WRONGTYPE' });
      await redis.cli('del', keys.log);
      expect(await listener.following()).toBe(ORIGIN);
      stop();
    });
  });

  describe('a foreign entry in the stream', () => {
    test('is skipped at any place, and the chain goes on', async () => {
      await foreign();
      const ids = await appendTexts(log, keys.channel, ['a']);
      await foreign();
      await foreign();
      expect(await log.rewind(keys.channel, 0, POLICY)).toBe(ids[0]);
      ids.push(...(await appendTexts(log, keys.channel, ['b', 'c'])));
      await foreign();
      expect(await idsAfter(ORIGIN)).toEqual(ids);
      const { events } = await log.read(keys.channel, ORIGIN, 256, POLICY);
      expect(events.map(({ prev }) => prev)).toEqual([ORIGIN, ids[0], ids[1]]);
      for (const [index, id] of ids.entries()) {
        expect(await log.read(keys.channel, id, 256, POLICY)).toMatchObject({ complete: true, tail: ids[2] });
        expect(await idsAfter(id)).toEqual(ids.slice(index + 1));
        expect(await log.rewind(keys.channel, 2 - index, POLICY)).toBe(id);
      }
    });

    test('with an id from the future lets later events follow it', async () => {
      const ids = await appendTexts(log, keys.channel, ['a']);
      await foreign('99999999999999-0');
      ids.push(...(await appendTexts(log, keys.channel, ['b', 'c'])));
      expect(await idsAfter(ORIGIN)).toEqual(ids);
      expect((await log.read(keys.channel, ids[0] as EventId, 256, POLICY)).complete).toBe(true);
    });

    test('hundreds of them hide no event', async () => {
      const ids = await appendTexts(log, keys.channel, ['a']);
      for (let i = 0; i < 40; i++) await foreign();
      ids.push(...(await appendTexts(log, keys.channel, ['b', 'c'])));
      for (let i = 0; i < 20; i++) await foreign();
      ids.push(...(await appendTexts(log, keys.channel, ['d'])));
      expect(await idsAfter(ORIGIN)).toEqual(ids);
      expect((await log.read(keys.channel, ids[0] as EventId, 256, POLICY)).complete).toBe(true);
    });

    test.each([1, 20])('%i of them after the end or a clear leave the channel as it is', async (count) => {
      const tail = (await appendOne(log, keys.channel, 'a', { end: true })).id;
      for (let i = 0; i < count; i++) await foreign();
      expect(await log.state(keys.channel)).toEqual({ tail, status: 'ended' });
      expect(await log.read(keys.channel, tail, 256, POLICY)).toMatchObject({ events: [], ended: true });
      await expect(appendOne(log, keys.channel, 'b')).rejects.toMatchObject({ code: 'channel-ended' });
      expect(await log.clear(keys.channel, POLICY)).toBe(true);
      for (let i = 0; i < count; i++) await foreign();
      expect((await log.state(keys.channel)).status).toBe('empty');
      expect(await log.clear(keys.channel, POLICY)).toBe(false);
    });

    test('an entry that somebody deleted: a page ends before the hole, and the rest is incomplete', async () => {
      const ids = await appendTexts(log, keys.channel, ['a', 'b', 'c', 'd']);
      await redis.cli('xdel', keys.log, ids[1] as string);
      expect(await idsAfter(ORIGIN)).toEqual([ids[0]]);
      const rest = await log.read(keys.channel, ids[0] as EventId, 256, POLICY);
      expect(rest.complete).toBe(false);
      expect(rest.events.map(({ id }) => id)).toEqual(ids.slice(2));
    });

    test('a field whose value only looks like a predecessor is no event', async () => {
      const ids = await appendTexts(log, keys.channel, ['a']);
      for (const prev of ['', 'x', '01-1', '1-01', '1', '1-1-1', `${'9'.repeat(60)}-1`])
        for (const field of ['r', 'f']) await redis.cli('xadd', keys.log, '*', 'p', prev, field, '1\n\nx');
      expect(await idsAfter(ORIGIN)).toEqual(ids);
      expect(await log.rewind(keys.channel, 0, POLICY)).toBe(ids[0]);
    });
  });

  test('the whole stream deleted: the tail is still known, and the kept events are reported as missing', async () => {
    const ids = await appendTexts(log, keys.channel, ['a', 'b', 'c']);
    await redis.cli('del', keys.log);
    const tail = ids[2] as EventId;
    expect(await log.rewind(keys.channel, 2, POLICY)).toBe(tail);
    expect(await log.read(keys.channel, tail, 10, POLICY)).toMatchObject({
      events: [],
      tail,
      complete: true,
    });
    expect(await log.read(keys.channel, ids[0] as EventId, 10, POLICY)).toMatchObject({
      events: [],
      complete: false,
    });
    const next = await appendTexts(log, keys.channel, ['d']);
    expect(await log.read(keys.channel, tail, 10, POLICY)).toMatchObject({
      events: [{ id: next[0], prev: tail }],
      complete: true,
    });
    expect((await log.read(keys.channel, ids[0] as EventId, 10, POLICY)).complete).toBe(false);
  });

  test('a value at an idempotency key is reported, and neither returned nor overwritten', async () => {
    for (const value of [
      '"><script>',
      '',
      '1',
      '1-1\n',
      '01-1',
      '1-1 x',
      '1-1  a',
      ' a',
      '9'.repeat(10_000),
    ]) {
      await redis.cli('set', keys.idempotency('k'), value);
      const refusal = { code: 'log-unavailable', trouble: 'WRONGTYPE' };
      const options = { policy: POLICY, idempotencyKey: 'k' };
      await expect(appendOne(log, keys.channel, 'a', options)).rejects.toMatchObject(refusal);
      await expect(log.checkKeys(keys.channel, [{ data: 'a' }], options)).rejects.toMatchObject(refusal);
      expect(await redis.cli('get', keys.idempotency('k'))).toBe(value);
    }
    await redis.cli('del', keys.idempotency('k'));
    await redis.cli('rpush', keys.idempotency('k'), 'a');
    await expect(appendOne(log, keys.channel, 'a', { idempotencyKey: 'k' })).rejects.toMatchObject({
      code: 'log-unavailable',
      trouble: 'WRONGTYPE',
    });
    expect(await log.read(keys.channel, ORIGIN, 10, POLICY)).toMatchObject({ events: [], tail: ORIGIN });
  });

  test('a channel with such a tail is left out of the list of channels, and hides no other', async () => {
    const [id] = await appendTexts(log, keys.channel, ['a']);
    for (const [i, command] of (['set', 'rpush'] as const).entries())
      await redis.cli(command, freshChannel(parseChannelName(`${keys.channel}.${i}`)).tail, 'x');
    const inspector = new ChannelInspector({
      catalog: log.catalog,
      policies: new ChannelPolicies([], { history: POLICY, publicChannels: [] }),
      subscribers: {} as ChannelSubscribers,
    });
    const { channels } = await inspector.list({ prefix: keys.channel, cursor: undefined, limit: 1_000 });
    expect(channels).toEqual([{ channel: keys.channel, first: id, last: id, length: 1, ended: false }]);
  });

  test('a malformed announcement reaches no listener', async () => {
    const listener = new Listener();
    const stop = log.follow(keys.channel, listener);
    await listener.following();
    const random = seededRandom(7);
    // A valid announcement of one event, in the present form and in that of the previous version.
    const right = 'a1763596800001-0\n1763596800000-0\n1763596800001-0 4\n1\n\nx';
    const before = '1763596800000-0\nid: 1763596800001-0\ndata: x\n\n';
    const wrong = [
      '',
      'a',
      '\n',
      '\n\n\n',
      'a\n\n\n',
      right.slice(0, right.indexOf('4\n')),
      `${right}y`,
      right.slice(0, -1),
      right.replace(' 4\n', '4\n'),
      right.replace(' 4\n', ' 04\n'),
      right.replace(' 4\n', ' -4\n'),
      right.replace(' 4\n', ' 99999999999999999999\n'),
      right.replace('a1763596800001', 'a1763596800002'),
      right.replace('1763596800001-0 ', '1763596800001-00 '),
      right.replaceAll('1763596800001', '18446744073709551616'),
      'a1763596800000-0\n1763596800000-0\n',
      'b\n',
      'b1763596800001\n',
      'b1763596800001-0',
      'b1763596800001-0\nx',
      'c\nx',
      'c1763596800001\nx',
      before.slice(0, -1),
      before.replace('id: ', 'id:'),
      before.replace('id: ', 'ix: '),
      before.replace('800001-0', '800001'),
      before.replace('800001-0', '800001-00'),
      before.replace('1763596800001', '18446744073709551616'),
      before.replace('1763596800000-0', '01763596800000-0'),
      before.replace('1763596800000-0', ''),
      'x'.repeat(100_000),
    ];
    // Cut, and with one byte before the event's own bytes replaced.
    for (let i = 0; i < 300; i++) {
      for (const [message, length] of [
        [right, right.indexOf('1\n\nx')],
        [before, before.indexOf('data')],
      ] as const) {
        const at = Math.floor(random() * length);
        const byte = 'abc:;/. \r\t'[Math.floor(random() * 10)] as string;
        wrong.push(message.slice(0, at) + byte + message.slice(at + 1), message.slice(0, at));
      }
    }
    for (const message of wrong.filter((one) => one !== right && one !== before))
      await redis.cli('publish', keys.live, message);
    const [id] = await appendTexts(log, keys.channel, ['own']);
    await listener.heard((heard) => heard === id);
    expect(listener.ids).toEqual([id]);
    stop();
  });
});
