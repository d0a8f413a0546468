import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { MAX_ANSWER_BYTES, MAX_QUESTION_BYTES } from '../../src/replicas/control-bus.ts';
import type { Answerer, ControlBus, ControlCommand, Json } from '../../src/replicas/control-bus.ts';
import type { Revocation } from '../../src/replicas/revocation.ts';
import { ObedientReplica } from '../support/obedient-replica.ts';

export interface BusOptions {
  readonly replica: string;
  readonly revocationTtl: number;
  readonly maxRevocations: number;
}

/** Opens a bus. The buses of one `createGroup` are replicas of one broker; no other bus hears them. */
export type OpenBus = (options: BusOptions) => ControlBus;

export const DEFAULTS: BusOptions = { replica: 'one', revocationTtl: 60_000, maxRevocations: 100 };
const NEWS = parseChannelName('news');

export function command(revocation?: Revocation): ControlCommand {
  return { kind: 'disconnect', subject: undefined, channel: NEWS, revocation };
}

export function revocationOf(subject: string, until = Date.now()): Revocation {
  return { subject, channel: undefined, until };
}

export async function keptBy(bus: ControlBus): Promise<Revocation[]> {
  const kept: Revocation[] = [];
  for await (const page of bus.revocations()) kept.push(...page);
  return kept;
}

/**
 * What every control bus promises, on any backend. `createGroup` makes a group that opens buses and closes all of them.
 */
export function controlBusContract(createGroup: () => { open: OpenBus; close: () => Promise<void> }): void {
  let group: { open: OpenBus; close: () => Promise<void> };
  const join = async (options: Partial<BusOptions> = {}): Promise<ObedientReplica> => {
    const replica = new ObedientReplica(group.open({ ...DEFAULTS, ...options }));
    await replica.joined();
    return replica;
  };
  beforeEach(() => {
    group = createGroup();
  });
  afterEach(() => group.close());

  describe('request', () => {
    test('the requesting replica carries out the command unchanged, and answers with the number of closed streams', async () => {
      const one = await join();
      one.closes = async () => 3;
      const commands: ControlCommand[] = [
        command(),
        { kind: 'disconnect', subject: 'é "7"\n ☃', channel: undefined, revocation: undefined },
        { ...command(revocationOf('7')), subject: '7' },
        command({ subject: undefined, channel: NEWS, until: Date.now() }),
        command({ subject: 'a b', channel: NEWS, until: Date.now() }),
      ];
      for (const asked of commands) {
        const answers = await one.bus.request(asked);
        expect(answers).toEqual({ answers: [{ replica: 'one', answer: 3 }], missing: 0, silent: [] });
      }
      expect(one.commands).toEqual(commands);
    });

    test('a failed listener counts as a missing answer', async () => {
      const one = await join();
      one.closes = () => Promise.reject(new Error('the command fails'));
      expect(await one.bus.request(command())).toEqual({ answers: [], missing: 1, silent: ['one'] });
    });

    test('twenty requests at a time get their own answers', async () => {
      const one = await join();
      one.closes = async ({ subject }) => Number(subject);
      const all = await Promise.all(
        Array.from({ length: 20 }, (_, i) => one.bus.request({ ...command(), subject: String(i + 1) })),
      );
      expect(all.map(({ answers }) => answers[0]?.answer)).toEqual(
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
    });
  });

  describe('ask', () => {
    test.each([
      ['text', 'é "7"\n ☃'],
      ['a number', 0],
      ['nothing', null],
      ['an object', { kind: 'disconnect', list: [1, [], {}], '': false }],
    ] as const)('brings %s to the answerer, and the answer back', async (_what, json) => {
      const { bus } = await join();
      const asked: unknown[] = [];
      bus.answer('echo', async (payload) => {
        asked.push(payload);
        return payload;
      });
      expect(await bus.ask('echo', json)).toEqual({
        answers: [{ replica: 'one', answer: json }],
        missing: 0,
        silent: [],
      });
      expect(asked).toEqual([json]);
    });

    test('a question reaches the answerer of its kind alone, and no listener', async () => {
      const one = await join();
      one.bus.answer('a', async () => 'first');
      one.bus.answer('b', async () => 'b');
      one.bus.answer('a', async () => 'second');
      expect((await one.bus.ask('a', null)).answers).toEqual([{ replica: 'one', answer: 'second' }]);
      expect(one.commands).toEqual([]);
    });

    test.each([
      ['there is no answerer', undefined],
      ['the answer fails', () => Promise.reject(new Error('no'))],
      ['the answer comes too late', () => new Promise<Json>(() => undefined)],
      ['the answer is too large', async () => 'x'.repeat(MAX_ANSWER_BYTES)],
    ] satisfies [string, Answerer | undefined][])(
      'names the missing replica when %s',
      async (_why, answerer) => {
        const { bus } = await join();
        if (answerer !== undefined) bus.answer('state', answerer);
        expect(await bus.ask('state', null)).toEqual({ answers: [], missing: 1, silent: ['one'] });
      },
    );

    test('a payload may be as long as the limit, and not longer', async () => {
      const { bus } = await join();
      bus.answer('length', async (payload) => (payload as string).length);
      const largest = 'x'.repeat(MAX_QUESTION_BYTES - 2);
      expect((await bus.ask('length', largest)).answers[0]?.answer).toBe(largest.length);
      await expect(bus.ask('length', `${largest}x`)).rejects.toThrow(RangeError);
    });

    test('100 questions at a time get their own answers', async () => {
      const { bus } = await join();
      bus.answer('double', async (payload) => 2 * Number(payload));
      const numbers = Array.from({ length: 100 }, (_, i) => i);
      const all = await Promise.all(numbers.map((i) => bus.ask('double', i)));
      expect(all.map(({ answers }) => answers[0]?.answer)).toEqual(numbers.map((i) => 2 * i));
    });
  });

  describe('a revocation', () => {
    test('is kept before any replica hears of it, for every combination of subject and channel', async () => {
      const one = await join();
      const now = Date.now();
      const revocations: Revocation[] = [
        { subject: '7', channel: undefined, until: now },
        { subject: undefined, channel: NEWS, until: now - 1 },
        { subject: 'with blanks, and é ☃', channel: NEWS, until: now - 2 },
      ];
      one.closes = async ({ revocation }) => {
        expect(await keptBy(one.bus)).toContainEqual(revocation);
        return 0;
      };
      for (const revocation of revocations) await one.bus.request(command(revocation));
      const kept = await keptBy(one.bus);
      expect(kept).toHaveLength(3);
      expect(kept).toEqual(expect.arrayContaining(revocations));
    });

    test('replaces an earlier revocation of the same tokens, and never a later one', async () => {
      const one = await join();
      const now = Date.now();
      for (const until of [now - 2, now, now - 1]) await one.bus.request(command(revocationOf('7', until)));
      expect(await keptBy(one.bus)).toEqual([revocationOf('7', now)]);
    });

    test('is removed after its time to live', async () => {
      const one = await join({ revocationTtl: 50 });
      await one.bus.request(command(revocationOf('7')));
      await expect.poll(() => keptBy(one.bus), { interval: 20 }).toEqual([]);
    });

    test('is refused when the list is full, and reaches no replica', async () => {
      const one = await join({ maxRevocations: 2 });
      const kept = [revocationOf('1'), revocationOf('2')];
      for (const revocation of kept) await one.bus.request(command(revocation));
      await expect(one.bus.request(command(revocationOf('3')))).rejects.toMatchObject({
        code: 'revocations-full',
      });
      expect(one.commands).toHaveLength(2);
      expect((await keptBy(one.bus)).toSorted((a, b) => Number(a.subject) - Number(b.subject))).toEqual(kept);
      // A command without a revocation, or with a known one, needs no room.
      expect((await one.bus.request(command())).missing).toBe(0);
      expect((await one.bus.request(command(revocationOf('2')))).missing).toBe(0);
    });

    test('is accepted again after others have expired', async () => {
      const one = await join({ maxRevocations: 1, revocationTtl: 50 });
      await one.bus.request(command(revocationOf('1')));
      const again = async (): Promise<boolean> =>
        await one.bus.request(command(revocationOf('2'))).then(
          () => true,
          () => false,
        );
      await expect.poll(again, { interval: 20 }).toBe(true);
    });
  });

  describe('restore', () => {
    test('keeps revocations and announces none', async () => {
      const one = await join();
      const lost = Array.from({ length: 50 }, (_, i) => revocationOf(String(i)));
      await one.bus.restore(lost);
      const kept = await keptBy(one.bus);
      expect(kept).toHaveLength(50);
      expect(kept).toEqual(expect.arrayContaining(lost));
      expect(one.commands).toEqual([]);
    });

    test('changes nothing when the revocations are already kept', async () => {
      const one = await join({ maxRevocations: 1 });
      const now = Date.now();
      await one.bus.request(command(revocationOf('7', now)));
      await one.bus.restore([revocationOf('7', now - 1), revocationOf('7', now)]);
      expect(await keptBy(one.bus)).toEqual([revocationOf('7', now)]);
    });
  });
}
