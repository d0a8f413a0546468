import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parseRedisAddress } from '../../src/redis/redis-address.ts';
import { connectSubscriber } from '../../src/redis/redis-connections.ts';
import { SubscriberConnection } from '../../src/redis/subscriber-connection.ts';
import { NotingSubscriber } from '../support/noting-subscriber.ts';
import { startRedis } from '../support/redis-server.ts';
import type { RedisServer } from '../support/redis-server.ts';

let redis: RedisServer;
let connection: SubscriberConnection;
const connect = (url: string): SubscriberConnection => {
  const address = parseRedisAddress(url);
  if (address.kind === 'cluster') throw new Error('one server has another address');
  return new SubscriberConnection({ redis: connectSubscriber(address, {}) });
};
const subscribe = (name: string, options?: { separate: boolean }): NotingSubscriber & { leave(): void } => {
  const subscriber = new NotingSubscriber(options);
  return Object.assign(subscriber, { leave: connection.subscribe(name, subscriber) });
};
/** How many SUBSCRIBE commands Redis has received. */
const subscribes = async (): Promise<number> =>
  Number(/cmdstat_subscribe:calls=(\d+)/.exec(await redis.cli('info', 'commandstats'))?.[1] ?? 0);

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());
beforeEach(() => {
  connection = connect(redis.url);
});
afterEach(() => connection.close());

test('1,200 names take three SUBSCRIBE commands, and each listener gets its own messages', async () => {
  const before = await subscribes();
  const all = Array.from({ length: 1_200 }, (_, i) => subscribe(`name ${i}`));
  await expect.poll(() => all.every(({ notes }) => notes.length === 1)).toBe(true);
  expect(await subscribes()).toBe(before + 3);
  for (const i of [0, 499, 1_199]) {
    await redis.cli('publish', `name ${i}`, String(i));
    await expect.poll(() => all[i]?.notes).toEqual(['subscribed', String(i)]);
  }
  expect(all.filter(({ notes }) => notes.length > 1)).toHaveLength(3);
});

test('a second listener of a name causes no SUBSCRIBE, and the last one that leaves causes the UNSUBSCRIBE', async () => {
  const first = subscribe('shared é');
  await expect.poll(() => first.notes).toEqual(['subscribed']);
  const before = await subscribes();
  const second = subscribe('shared é');
  await expect.poll(() => second.notes).toEqual(['subscribed']);
  expect(await subscribes()).toBe(before);
  first.leave();
  await redis.cli('publish', 'shared é', 'one');
  await expect.poll(() => second.notes).toEqual(['subscribed', 'one']);
  expect(first.notes).toEqual(['subscribed']);
  second.leave();
  await expect.poll(() => redis.cli('pubsub', 'numsub', 'shared é')).toBe('shared é\n0');
  const third = subscribe('shared é');
  await expect.poll(() => third.notes).toEqual(['subscribed']);
});

test('a name that is left and subscribed again at once stays subscribed', async () => {
  const first = subscribe('taken');
  await expect.poll(() => first.notes).toEqual(['subscribed']);
  first.leave();
  const second = subscribe('taken');
  await expect.poll(() => second.notes).toEqual(['subscribed']);
  await redis.cli('publish', 'taken', 'one');
  await expect.poll(() => second.notes).toEqual(['subscribed', 'one']);
});

test('a lost connection is an interruption, and every name is subscribed again', async () => {
  const some = Array.from({ length: 3 }, (_, i) => subscribe(`lost ${i}`));
  await expect.poll(() => some.map(({ notes }) => notes.length)).toEqual([1, 1, 1]);
  let closed = 0;
  connection.onClosed(() => closed++);
  await redis.cli('client', 'kill', 'type', 'pubsub');
  await expect
    .poll(() => some.map(({ notes }) => notes))
    .toEqual(some.map(() => ['subscribed', 'interrupted', 'subscribed']));
  expect(closed).toBe(1);
});

test('a refused SUBSCRIBE is reported and repeated, and does not affect names of other SUBSCRIBE commands', async () => {
  connection.close();
  await redis.cli('acl', 'setuser', 'narrow', 'on', '>narrow', 'resetchannels', '&mine', '&other', '+@all');
  connection = connect(redis.url.replace('//', '//narrow:narrow@'));
  const separate = subscribe('mine', { separate: true });
  const [together, refused] = [subscribe('other'), subscribe('theirs')];
  await expect.poll(() => refused.notes.length).toBeGreaterThan(1);
  expect([separate.notes, new Set(together.notes)]).toEqual([['subscribed'], new Set(['refused'])]);
  await redis.cli('acl', 'setuser', 'narrow', '&theirs');
  await expect
    .poll(() => [together.notes.at(-1), refused.notes.at(-1)])
    .toEqual(['subscribed', 'subscribed']);
});
