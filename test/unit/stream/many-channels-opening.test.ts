import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FairLoop } from '../../../src/delivery/fair-loop.ts';
import type { Subscription } from '../../../src/delivery/subscription.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ChannelSets } from '../../../src/stream/channel-set.ts';
import { ChannelSetStream } from '../../../src/stream/channel-set-stream.ts';

const NAMES = Array.from({ length: 50 }, (_, i) => parseChannelName(`channel-${i}`));
const STREAMS = 10;

/** Law 7, Fair. */
test('streams with many channels that come at once subscribe in slices, and each may leave in the meantime', async () => {
  const loop = new FairLoop();
  const sets = new ChannelSets();
  const held = new Set<Subscription>();
  let subscribed = 0;
  const hub = {
    subscribe: (): Subscription => {
      const until = performance.now() + 0.5;
      while (performance.now() < until);
      const subscription = {} as Subscription;
      held.add(subscription);
      subscribed++;
      return subscription;
    },
    unsubscribe: (_name: string, subscription: Subscription): void => void held.delete(subscription),
  };
  const connection = {
    writable: true,
    write: () => undefined,
    writeShared: () => undefined,
    writeNotice: () => undefined,
    writeReady: () => undefined,
    finish: () => undefined,
  };
  const streams = Array.from(
    { length: STREAMS },
    () =>
      new ChannelSetStream({
        hub,
        loop,
        connection,
        set: sets.acquire(NAMES),
        starts: NAMES.map(() => ({ from: 'tail' })),
      }),
  );
  const leaver = streams.at(-1);
  let turns = 0;
  for (; subscribed < (STREAMS - 1) * NAMES.length; turns++) {
    await nextTurn();
    if (turns === 3) leaver?.end();
  }
  expect(turns).toBeGreaterThan(10);
  for (let i = 0; i < 5; i++) await nextTurn();
  expect(held.size).toBe((STREAMS - 1) * NAMES.length);
  for (const stream of streams) stream.end();
  expect(held.size).toBe(0);
});
