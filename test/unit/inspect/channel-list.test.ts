import { expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { ChannelPolicies } from '../../../src/events/channel-policies.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import { ChannelInspector } from '../../../src/inspect/channel-inspector.ts';
import type { ChannelSubscribers } from '../../../src/inspect/channel-subscribers.ts';
import type { ChannelAbout, LogCatalog } from '../../../src/log/event-log.ts';
import { POLICY } from '../../support/append-one.ts';

test('a list of 1,000 channels is described over many turns of the event loop', async () => {
  const names = Array.from({ length: 1_000 }, (_, i) => parseChannelName(`c${i}`));
  const about: ChannelAbout = {
    state: { tail: ORIGIN, status: 'open' },
    first: null,
    length: 0,
    bytes: 0,
    keys: 0,
  };
  let inTurn = 0;
  let most = 0;
  const catalog: LogCatalog = {
    about: async () => {
      if (inTurn++ === 0) setImmediate(() => (inTurn = 0));
      most = Math.max(most, inTurn);
      return about;
    },
    countAfter: async () => [],
    list: async () => ({ channels: names, next: undefined }),
  };
  const policies = new ChannelPolicies([], { history: POLICY, publicChannels: [] });
  const inspector = new ChannelInspector({ catalog, policies, subscribers: {} as ChannelSubscribers });
  const { channels } = await inspector.list({ prefix: '', cursor: undefined, limit: 1_000 });
  expect(channels.map(({ channel }) => channel)).toEqual(names);
  expect(most).toBeLessThanOrEqual(100);
});
