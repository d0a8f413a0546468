import { expect, test } from 'vitest';
import type { ControlBus } from '../../../src/replicas/control-bus.ts';
import { SubscribedChannels } from '../../../src/replicas/subscribed-channels.ts';

test('a silent replica is waited for once, and not for each part of the names', async () => {
  const parts = [['a'], ['b'], ['c']];
  const waitedFor: (number | undefined)[] = [];
  const control: Pick<ControlBus, 'answer' | 'ask'> = {
    answer: () => undefined,
    async ask(_kind, _payload, enough) {
      const names = parts[waitedFor.length] ?? [];
      waitedFor.push(enough);
      const answer = { count: 3, names, more: waitedFor.length < parts.length };
      return { answers: [{ replica: 'one', answer }], missing: 1, silent: ['two'] };
    },
  };
  const hub = { subscribedCount: 0, subscribedChannels: () => [] };
  const { names, complete } = await new SubscribedChannels({ control, hub }).list();
  expect([names, complete]).toEqual([['a', 'b', 'c'], false]);
  expect(waitedFor).toEqual([undefined, 1, 1]);
});
