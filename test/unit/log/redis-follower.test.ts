import type { ChannelState } from '../../../src/log/event-log.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { EventId } from '../../../src/events/event.ts';
import { MAX_APPENDED } from '../../../src/log/event-log.ts';
import { RedisFollower } from '../../../src/log/redis/redis-follower.ts';
import type { PubSub, PubSubListener } from '../../../src/redis/pub-sub.ts';
import { RedisKeys } from '../../../src/redis/redis-keys.ts';

/** Laws 2 and 3, Join and Reconnect: subscribe first, then read the tail. A tail from before an interruption is not used. */

const CHANNEL = parseChannelName('news');
const id = (text: string): EventId => text as EventId;

/** A pub/sub connection that the test controls. */
class SteeredPubSub implements PubSub {
  listener: PubSubListener | undefined;

  subscribe(_name: string, listener: PubSubListener): () => void {
    this.listener = listener;
    return () => (this.listener = undefined);
  }
}

let pubSub: SteeredPubSub;
/** The answers to the reads of the channel's state; the tail of an ended channel has a "!" behind it. */
let tails: PromiseWithResolvers<EventId>[];
let calls: string[];
let stop: () => void;
beforeEach(() => {
  pubSub = new SteeredPubSub();
  tails = [];
  calls = [];
  const state = async (): Promise<ChannelState> => {
    const answer = Promise.withResolvers<EventId>();
    tails.push(answer);
    const tail = await answer.promise;
    return tail.endsWith('!') ? { tail: id(tail.slice(0, -1)), status: 'ended' } : { tail, status: 'open' };
  };
  const follower = new RedisFollower({ pubSub, keys: new RedisKeys('sluice:'), state });
  stop = follower.follow(CHANNEL, {
    onFollowing: ({ tail, status }) => calls.push(`following ${tail}${status === 'ended' ? ' ended' : ''}`),
    onEvents: (events) => calls.push(...events.map((event) => `event ${event.id}`)),
    onTrouble: (error) => calls.push(`trouble ${(error as Error).message}`),
    onInterrupted: () => calls.push('interrupted'),
    onResumed: ({ tail, status }) => calls.push(`resumed ${tail}${status === 'ended' ? ' ended' : ''}`),
    onEnded: (tail) => calls.push(`ended ${tail}`),
  });
});

test('reads the tail once the subscription is confirmed, and not before', async () => {
  expect(tails).toHaveLength(0);
  pubSub.listener?.onSubscribed();
  expect(tails).toHaveLength(1);
  tails[0]?.resolve(id('1-0'));
  await nextTurn();
  expect(calls).toEqual(['following 1-0']);
});

test('a tail from before a reconnect is not used', async () => {
  pubSub.listener?.onSubscribed();
  pubSub.listener?.onInterrupted();
  pubSub.listener?.onSubscribed();
  tails[0]?.resolve(id('1-0'));
  await nextTurn();
  expect(calls).toEqual([]);
  tails[1]?.resolve(id('2-0'));
  await nextTurn();
  expect(calls).toEqual(['following 2-0']);

  pubSub.listener?.onInterrupted();
  pubSub.listener?.onSubscribed();
  pubSub.listener?.onInterrupted();
  tails[2]?.resolve(id('3-0'));
  await nextTurn();
  expect(calls).toEqual(['following 2-0', 'interrupted']);
  pubSub.listener?.onSubscribed();
  tails[3]?.resolve(id('4-0'));
  await nextTurn();
  expect(calls).toEqual(['following 2-0', 'interrupted', 'resumed 4-0']);
});

test('a tail that cannot be read is reported and read again, until it is stopped', async () => {
  vi.useFakeTimers();
  try {
    pubSub.listener?.onSubscribed();
    tails[0]?.reject(new Error('no'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect([tails.length, calls]).toEqual([2, ['trouble no']]);
    tails[1]?.reject(new Error('still no'));
    await vi.advanceTimersByTimeAsync(0);
    stop();
    await vi.advanceTimersByTimeAsync(10_000);
    expect([tails.length, calls]).toEqual([2, ['trouble no', 'trouble still no']]);
  } finally {
    vi.useRealTimers();
  }
});

test('calls no listener after a stop', async () => {
  pubSub.listener?.onSubscribed();
  stop();
  tails[0]?.resolve(id('1-0'));
  await nextTurn();
  expect(calls).toEqual([]);
  expect(pubSub.listener).toBeUndefined();
});

test('an announcement of a later form is as good as lost, also when it comes before the tail is known', async () => {
  const later = (last: string): void => pubSub.listener?.onMessage(Buffer.from(`c${last}\nwhatever it is`));
  pubSub.listener?.onSubscribed();
  later('5-0');
  tails[0]?.resolve(id('4-0'));
  await nextTurn();
  expect(calls).toEqual(['following 4-0', 'interrupted', 'resumed 5-0']);
  later('6-0');
  expect(calls.slice(3)).toEqual(['interrupted', 'resumed 6-0']);

  pubSub.listener?.onInterrupted();
  pubSub.listener?.onSubscribed();
  later('7-0');
  // The tail covers the event.
  tails[1]?.resolve(id('7-0'));
  await nextTurn();
  expect(calls.slice(5)).toEqual(['interrupted', 'resumed 7-0']);
});

test('an end is given on once the tail is known, unless the channel was cleared since', async () => {
  const end = (tail: string): void => pubSub.listener?.onMessage(Buffer.from(`b${tail}\n`));
  pubSub.listener?.onSubscribed();
  end('5-0');
  tails[0]?.resolve(id('5-0'));
  await nextTurn();
  expect(calls).toEqual(['following 5-0', 'ended 5-0']);
  end('5-0');
  expect(calls.slice(2)).toEqual(['ended 5-0']);

  for (const [tail, expected] of [
    ['5-0!', ['resumed 5-0 ended']],
    ['6-0', ['resumed 6-0']],
    ['4-0', ['resumed 4-0', 'ended 5-0']],
  ] as const) {
    pubSub.listener?.onInterrupted();
    pubSub.listener?.onSubscribed();
    end('5-0');
    calls = [];
    tails.at(-1)?.resolve(id(tail));
    await nextTurn();
    expect(calls).toEqual(expected);
  }
});

test.each([
  [MAX_APPENDED, 'event 256-0'],
  [MAX_APPENDED + 1, 'resumed 257-0'],
])('an announcement of %i events is read if so many can be appended at once', async (count, last) => {
  pubSub.listener?.onSubscribed();
  tails[0]?.resolve(id('0-0'));
  await nextTurn();
  const events = Array.from({ length: count }, (_, i) => `${i + 1}-0 3\n1\n\n`).join('');
  pubSub.listener?.onMessage(Buffer.from(`a${count}-0\n0-0\n${events}`));
  expect(calls.at(-1)).toBe(last);
  expect(calls.length).toBeLessThanOrEqual(1 + MAX_APPENDED);
});
