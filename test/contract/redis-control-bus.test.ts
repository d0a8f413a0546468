import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ControlGroup } from '../support/control-group.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';
import { DEFAULTS, command, controlBusContract, keptBy, revocationOf } from './control-bus-contract.ts';
import { controlBusReplicas } from './control-bus-replicas.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

describe('the control bus in Redis', () => {
  controlBusContract(() => new ControlGroup(redis.url));
});

describe('replicas on one Redis', () => {
  controlBusReplicas(() => new ControlGroup(redis.url));
});

describe('on one Redis', () => {
  let group: ControlGroup;
  let one: ObedientReplica;
  let two: ObedientReplica;
  beforeEach(async () => {
    group = new ControlGroup(redis.url);
    [one, two] = ['one', 'two'].map(
      (replica) => new ObedientReplica(group.open({ ...DEFAULTS, replica })),
    ) as [ObedientReplica, ObedientReplica];
    await Promise.all([one.joined(), two.joined()]);
  });
  afterEach(() => group.close());

  const say = (message: string): Promise<string> =>
    redis.cli('publish', `${group.prefix}{@control}:commands`, message);

  test.each([
    'x',
    '',
    'null',
    '{}',
    '{"id":"1","from":"newer","command":{"kind":"pause","channel":"news"}}',
    '{"id":"1","from":"newer","command":{"kind":"disconnect"}}',
    '{"id":"1","from":"newer","command":{"kind":"disconnect","channel":"a b"}}',
    '{"id":1,"from":"newer","command":{"kind":"disconnect","channel":"news"}}',
    '{"id":"1","from":"newer","command":{"kind":"a kind without an answerer","payload":[]}}',
    `{"id":"1","from":"newer","command":{"kind":"deep","payload":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`,
    `{"id":"1","from":"newer","command":{"kind":"disconnect","channel":"news","long":"${'x'.repeat(80_000)}"}}`,
  ])('a replica ignores an unknown message: %s', async (message) => {
    expect(await say(message)).toBe('2');
    expect((await one.bus.request(command())).missing).toBe(0);
    expect(one.commands).toEqual([command()]);
  });

  test('a replica ignores unknown fields of a newer replica, and does the rest', async () => {
    await say(
      '{"id":"1","from":"newer","v":2,"command":{"kind":"disconnect","channel":"news","softly":true}}',
    );
    await expect.poll(() => two.commands).toEqual([command()]);
  });

  test("replicas of this and the previous version understand each other's commands, and only commands are answered", async () => {
    const older = new Redis(redis.url);
    const heard: unknown[] = [];
    older.on('message', (_name, message) => heard.push(JSON.parse(message)));
    await older.subscribe(`${group.prefix}{@control}:commands`, `${group.prefix}{@control}:answers:older`);
    one.closes = async () => 3;

    // Answers as the previous version does.
    two.closes = async () => {
      const [{ id }] = heard as [{ id: string }];
      const answer = JSON.stringify({ id, from: 'older', closed: 4 });
      await redis.cli('publish', `${group.prefix}{@control}:answers:one`, answer);
      return 2;
    };
    const revocation = revocationOf('7');
    const { answers, missing } = await one.bus.request({ ...command(revocation), subject: '7' });
    expect(missing).toBe(0);
    expect(answers).toContainEqual({ replica: 'older', answer: 4 });
    expect(heard).toEqual([
      {
        id: expect.any(String) as string,
        from: 'one',
        command: { kind: 'disconnect', subject: '7', channel: 'news', revocation },
      },
    ]);

    // Asks as the previous version does.
    two.closes = async () => 2;
    heard.length = 0;
    await say('{"id":"1","from":"older","command":{"kind":"disconnect","channel":"news"}}');
    await expect
      .poll(() => heard.slice(1).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))))
      .toEqual([
        { id: '1', from: 'one', closed: 3 },
        { id: '1', from: 'two', closed: 2 },
      ]);

    for (const { bus } of [one, two]) bus.answer('new', async () => true);
    expect(await one.bus.ask('new', null)).toMatchObject({ missing: 1, silent: ['older'] });
    older.disconnect();
  });

  test('a group with another prefix hears nothing', async () => {
    const other = new ControlGroup(redis.url);
    const stranger = new ObedientReplica(other.open(DEFAULTS));
    await stranger.joined();
    const { answers } = await one.bus.request(command());
    expect(answers).toHaveLength(2);
    expect(stranger.commands).toEqual([]);
    await other.close();
  });

  test('joins again after its connection was killed, and hears commands from then on', async () => {
    await redis.cli('client', 'kill', 'type', 'pubsub');
    await Promise.all([one.joined(2), two.joined(2)]);
    const { answers, missing } = await one.bus.request(command());
    expect(missing).toBe(0);
    expect(answers).toHaveLength(2);
  });

  test('refuses a request while it cannot receive answers', async () => {
    await redis.cli('acl', 'setuser', 'deaf', 'on', '>deaf', '~*', '&*', '+@all', '-subscribe');
    const deaf = new ControlGroup(redis.url.replace('//', '//deaf:deaf@'), group.prefix);
    const bus = deaf.open({ ...DEFAULTS, replica: 'deaf' });
    const speaks = (): Promise<boolean> =>
      bus.restore([]).then(
        () => true,
        () => false,
      );
    await expect.poll(speaks).toBe(true);
    await expect(bus.request(command())).rejects.toMatchObject({ code: 'log-unavailable' });
    expect((await one.bus.request({ ...command(), subject: 'later' })).missing).toBe(0);
    expect(one.commands.map(({ subject }) => subject)).toEqual(['later']);
    await deaf.close();
  });

  test('a Redis without free memory refuses revocations, and no replica hears of them', async () => {
    await redis.cli('config', 'set', 'maxmemory', '1');
    try {
      await expect(one.bus.request(command(revocationOf('7')))).rejects.toMatchObject({ code: 'log-full' });
      expect(two.commands).toEqual([]);
      expect((await one.bus.request(command())).missing).toBe(0);
    } finally {
      await redis.cli('config', 'set', 'maxmemory', '0');
    }
  });

  test('thousands of revocations are listed in pages, each once', async () => {
    const many = Array.from({ length: 5_000 }, (_, i) => revocationOf(`subject ${i}`));
    const large = new ControlGroup(redis.url);
    const bus = large.open({ ...DEFAULTS, maxRevocations: 5_000 });
    const replica = new ObedientReplica(bus);
    await replica.joined();
    for (let i = 0; i < many.length; i += 500) await bus.restore(many.slice(i, i + 500));
    const kept = new Set((await keptBy(bus)).map(({ subject }) => subject));
    expect(kept.size).toBe(5_000);
    await expect(bus.restore([revocationOf('one too many')])).rejects.toMatchObject({
      code: 'revocations-full',
    });
    await large.close();
  });
});
