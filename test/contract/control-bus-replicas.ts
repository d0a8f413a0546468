import { afterEach, beforeEach, expect, test } from 'vitest';
import { ObedientReplica } from '../support/obedient-replica.ts';
import { DEFAULTS, command, keptBy, revocationOf } from './control-bus-contract.ts';
import type { BusOptions, OpenBus } from './control-bus-contract.ts';

/** What a control bus promises that has several replicas to tell. */
export function controlBusReplicas(createGroup: () => { open: OpenBus; close: () => Promise<void> }): void {
  let group: { open: OpenBus; close: () => Promise<void> };
  const join = async (replica: string, options: Partial<BusOptions> = {}): Promise<ObedientReplica> => {
    const joined = new ObedientReplica(group.open({ ...DEFAULTS, ...options, replica }));
    await joined.joined();
    return joined;
  };
  beforeEach(() => {
    group = createGroup();
  });
  afterEach(() => group.close());

  test('every replica carries it out, and each answers under its name', async () => {
    const replicas = await Promise.all(['a', 'b', 'c'].map((name) => join(name)));
    for (const [i, replica] of replicas.entries()) replica.closes = async () => i;
    for (const asker of replicas) {
      const { answers, complete } = await asker.bus.request(command(revocationOf('7')));
      expect(complete).toBe(true);
      expect(answers.toSorted((a, b) => a.closed - b.closed)).toEqual([
        { replica: 'a', closed: 0 },
        { replica: 'b', closed: 1 },
        { replica: 'c', closed: 2 },
      ]);
    }
    expect(replicas.map(({ commands }) => commands.length)).toEqual([3, 3, 3]);
    expect(await keptBy((replicas[2] as ObedientReplica).bus)).toHaveLength(1);
  });

  test('one that never answers is not waited for, and missed in the answer', async () => {
    const [asker, silent] = await Promise.all([join('a'), join('b')]);
    asker.closes = async () => 5;
    silent.closes = () => new Promise(() => undefined);
    const outcome = await asker.bus.request(command());
    expect(outcome).toEqual({ answers: [{ replica: 'a', closed: 5 }], complete: false });
  });

  test('a command that a replica cannot carry out in time leaves the next one as it is', async () => {
    const [asker, slow] = await Promise.all([join('a'), join('b')]);
    const { promise, resolve } = Promise.withResolvers<number>();
    slow.closes = () => promise;
    await asker.bus.request(command());
    slow.closes = async () => 1;
    const second = asker.bus.request(command());
    resolve(99);
    const { answers } = await second;
    expect(answers.find(({ replica }) => replica === 'b')).toEqual({ replica: 'b', closed: 1 });
  });
}
