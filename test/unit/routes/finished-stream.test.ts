import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { EventId } from '../../../src/events/event.ts';
import type { ChannelState } from '../../../src/log/event-log.ts';
import { unlessFinished } from '../../../src/routes/finished-stream.ts';

const TAIL = '1-0' as EventId;
const ENDED: ChannelState = { tail: TAIL, status: 'ended' };

test('a stream of many channels opens after 150 ms, however many answers of the log have come by then', async () => {
  const channels = ['a', 'b', 'c'].map((name) => parseChannelName(name));
  let asked = 0;
  const hub = {
    // Each answer comes in time, but all of them together do not.
    stateOf: async (): Promise<ChannelState> => {
      asked++;
      await delay(120);
      return ENDED;
    },
  };
  const opened = Promise.withResolvers<number>();
  const requested = {
    channels,
    starts: channels.map(() => ({ from: 'id', id: TAIL }) as const),
    onlyActive: false,
  };
  await unlessFinished(hub, requested, {} as FastifyReply, () => opened.resolve(asked));
  // The answer about the third channel would have been the reason to open.
  expect(await opened.promise).toBeLessThan(3);
});
