import { afterEach, beforeEach, expect, test } from 'vitest';
import { MAX_ANSWER_BYTES } from '../../src/replicas/control-bus.ts';
import type { ControlBus } from '../../src/replicas/control-bus.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { DEFAULTS, command, keptBy, revocationOf } from './control-bus-contract.ts';
import type { BusOptions, OpenBus } from './control-bus-contract.ts';

interface Group {
  readonly open: OpenBus;
  /** Ends one replica without a message to the others. */
  readonly leave: (bus: ControlBus) => void;
  readonly close: () => Promise<void>;
}

/** What a control bus promises when there are several replicas. */
export function controlBusReplicas(createGroup: () => Group): void {
  let group: Group;
  const join = async (replica: string, options: Partial<BusOptions> = {}): Promise<ObedientReplica> => {
    const joined = new ObedientReplica(group.open({ ...DEFAULTS, ...options, replica }));
    await joined.joined();
    return joined;
  };
  beforeEach(() => {
    group = createGroup();
  });
  afterEach(() => group.close());

  test('every replica carries out the command, and answers under its own name', async () => {
    const replicas = await Promise.all(['a', 'b', 'c'].map((name) => join(name)));
    for (const [i, replica] of replicas.entries()) replica.closes = async () => i;
    for (const asker of replicas) {
      const { answers, missing } = await asker.bus.request(command(revocationOf('7')));
      expect(missing).toBe(0);
      expect(answers.toSorted((a, b) => a.answer - b.answer)).toEqual([
        { replica: 'a', answer: 0 },
        { replica: 'b', answer: 1 },
        { replica: 'c', answer: 2 },
      ]);
    }
    expect(replicas.map(({ commands }) => commands.length)).toEqual([3, 3, 3]);
    expect(await keptBy((replicas[2] as ObedientReplica).bus)).toHaveLength(1);
  });

  test('a replica that does not answer is missing, and is named if it has answered or asked before', async () => {
    const [asker, silent] = await Promise.all([join('a'), join('b')]);
    asker.closes = async () => 5;
    await asker.bus.request(command());
    silent.closes = () => new Promise(() => undefined);
    const outcome = await asker.bus.request(command());
    expect(outcome).toEqual({ answers: [{ replica: 'a', answer: 5 }], missing: 1, silent: ['b'] });
  });

  test('a late answer to one command does not count as an answer to the next', async () => {
    const [asker, slow] = await Promise.all([join('a'), join('b')]);
    const { promise, resolve } = Promise.withResolvers<number>();
    slow.closes = () => promise;
    await asker.bus.request(command());
    slow.closes = async () => 1;
    const second = asker.bus.request(command());
    resolve(99);
    const { answers } = await second;
    expect(answers.find(({ replica }) => replica === 'b')).toEqual({ replica: 'b', answer: 1 });
  });

  test('a question goes to every replica, and each answers under its own name', async () => {
    const replicas = await Promise.all(['a', 'b', 'c'].map((name) => join(name)));
    for (const { bus } of replicas) bus.answer('name', async (payload) => [bus.replica, payload]);
    for (const { bus } of replicas) {
      const { answers, missing, silent } = await bus.ask('name', { of: 'all' });
      expect([missing, silent]).toEqual([0, []]);
      expect(answers.toSorted((a, b) => a.replica.localeCompare(b.replica))).toEqual(
        ['a', 'b', 'c'].map((replica) => ({ replica, answer: [replica, { of: 'all' }] })),
      );
    }
  });

  test('a replica that does not know the kind of a question is missing, and is named if it has sent anything before', async () => {
    const [asker, older] = await Promise.all([join('a'), join('b')]);
    asker.bus.answer('new', async () => 1);
    const answers = [{ replica: 'a', answer: 1 }];
    // Does not wait for a replica beyond those that are enough.
    const all = asker.bus.ask('new', null).then(() => 'all');
    const enough = asker.bus.ask('new', null, answers.length);
    expect(await Promise.race([all, enough.then(() => 'enough')])).toBe('enough');
    expect(await enough).toEqual({ answers, missing: 1, silent: [] });
    expect(await asker.bus.ask('new', null)).toEqual({ answers, missing: 1, silent: [] });
    await older.bus.request(command());
    expect(await asker.bus.ask('new', null)).toEqual({ answers, missing: 1, silent: ['b'] });
  });

  test('a replica whose answer fails is missing', async () => {
    const [asker, failing] = await Promise.all([join('a'), join('b')]);
    asker.bus.answer('state', async () => 'well');
    failing.bus.answer('state', async () => {
      throw new Error('the answer fails');
    });
    const { answers, missing } = await asker.bus.ask('state', null);
    expect([answers, missing]).toEqual([[{ replica: 'a', answer: 'well' }], 1]);
    failing.closes = () => Promise.reject(new Error('the command fails'));
    expect((await asker.bus.request(command())).missing).toBe(1);
  });

  test('a replica whose answer is too large is missing', async () => {
    const [asker, verbose] = await Promise.all([join('a'), join('b')]);
    const largest = 'x'.repeat(MAX_ANSWER_BYTES - 2);
    asker.bus.answer('text', async () => largest);
    verbose.bus.answer('text', async () => `${largest}x`);
    expect(await asker.bus.ask('text', null)).toMatchObject({
      answers: [{ replica: 'a', answer: largest }],
      missing: 1,
    });
  });

  test('100 questions at a time get their own answers from each replica', async () => {
    const [asker, other] = await Promise.all([join('a'), join('b')]);
    for (const { bus } of [asker, other]) bus.answer('echo', async (payload) => payload);
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const all = await Promise.all(numbers.map((i) => asker.bus.ask('echo', i)));
    expect(all.map(({ answers }) => answers.map(({ answer }) => answer))).toEqual(numbers.map((i) => [i, i]));
  });

  test('a replica that has left is no longer named after all others have answered', async () => {
    const [asker, leaver] = await Promise.all([join('a'), join('b')]);
    for (const { bus } of [asker, leaver]) bus.answer('echo', async (payload) => payload);
    expect((await asker.bus.ask('echo', 1)).answers).toHaveLength(2);
    group.leave(leaver.bus);
    await expect.poll(async () => (await asker.bus.ask('echo', 2)).answers.length).toBe(1);
    const silent = await join('c');
    silent.closes = () => new Promise(() => undefined);
    await silent.bus.ask('echo', 3);
    expect(await asker.bus.request(command())).toMatchObject({ missing: 1, silent: ['c'] });
  });
}
