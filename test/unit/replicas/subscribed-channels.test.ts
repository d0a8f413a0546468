import { expect, test } from 'vitest';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import type { Json } from '../../../src/replicas/control-bus.ts';
import { MemoryControlBus } from '../../../src/replicas/memory-control-bus.ts';
import { SubscribedChannels } from '../../../src/replicas/subscribed-channels.ts';

const hubOf = (names: readonly string[]) => ({
  subscribedCount: names.length,
  subscribedChannels: () => names as readonly ChannelName[],
});

/** Replicas with these channels. Each answers through a bus of its own, and the first of them asks. */
function replicasOf(
  ...all: readonly (readonly string[])[]
): SubscribedChannels & { readonly questions: () => number } {
  let questions = 0;
  const buses = all.map((names, i) => {
    const bus = new MemoryControlBus({ replica: `r${i}`, revocationTtl: 1_000 });
    return { bus, channels: new SubscribedChannels({ control: bus, hub: hubOf(names) }) };
  });
  const asking = new SubscribedChannels({
    control: {
      answer: () => undefined,
      async ask(kind, payload) {
        questions++;
        const outcomes = await Promise.all(buses.map(({ bus }) => bus.ask(kind, payload)));
        return {
          answers: outcomes.flatMap(({ answers }) => answers),
          missing: outcomes.reduce((sum, { missing }) => sum + missing, 0),
          silent: [],
        };
      },
    },
    hub: hubOf([]),
  });
  return Object.assign(asking, { questions: () => questions });
}

/** A replica whose answer is this one. */
function answering(answer: Json, missing = 0): SubscribedChannels {
  const answers = [{ replica: 'other', answer }];
  return new SubscribedChannels({
    control: { answer: () => undefined, ask: () => Promise.resolve({ answers, missing, silent: [] }) },
    hub: hubOf([]),
  });
}

const names = (length: number, of: string): string[] => Array.from({ length }, (_, i) => `${of}${i}`);
const longNames = (from: number): string[] =>
  Array.from({ length: 4_000 }, (_, i) => `${'x'.repeat(190)}.${from + i}`);

test('the channels of all replicas are listed once', async () => {
  const list = await replicasOf(['a', 'c'], [], ['b', 'a']).list();
  expect([list.names.toSorted(), list.complete]).toEqual([['a', 'b', 'c'], true]);
});

test('names that are too long for one answer come in several', async () => {
  const replicas = replicasOf(longNames(0), longNames(2_000), ['y']);
  const { names: all } = await replicas.list();
  expect(all.toSorted()).toEqual([...new Set([...longNames(0), ...longNames(2_000), 'y'])].toSorted());
  expect(replicas.questions()).toBeGreaterThan(10);
});

test('10,000 channels are listed, and more are refused, at one replica or at all together', async () => {
  expect((await replicasOf(names(10_000, 'a')).list()).names).toHaveLength(10_000);
  for (const replicas of [replicasOf(names(10_001, 'a')), replicasOf(names(6_000, 'a'), names(6_000, 'b'))])
    await expect(replicas.list()).rejects.toMatchObject({ code: 'too-many-channels' });
});

test('a replica that does not answer makes the list incomplete', async () => {
  const list = await answering({ count: 1, names: ['a'], more: false }, 1).list();
  expect(list).toEqual({ names: ['a'], complete: false });
});

test.each<[string, Json]>([
  ['nothing', null],
  ['another form', { channels: ['a'] }],
  ['a name that is not allowed', { count: 1, names: ['a b'], more: false }],
  ['a name that is no text', { count: 1, names: [7], more: false }],
])('an answer with %s counts as none', async (_what, answer) => {
  expect(await answering(answer).list()).toEqual({ names: [], complete: false });
});

test('a replica that says again and again that there is more is not asked for ever', async () => {
  const list = await answering({ count: 1, names: ['a'], more: true }).list();
  expect(list.names).toEqual(['a']);
});
