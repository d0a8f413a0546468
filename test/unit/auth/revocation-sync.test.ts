import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { RevocationSync } from '../../../src/replicas/revocation-sync.ts';
import { Revocations } from '../../../src/replicas/revocations.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import type { Revocation } from '../../../src/replicas/revocation.ts';
import { MemoryControlBus } from '../../../src/replicas/memory-control-bus.ts';

const TTL = 60_000;

/** The list that replicas share. A test can make it unavailable. */
class SharedList extends MemoryControlBus {
  away = false;
  asked = 0;

  constructor() {
    super({ replica: 'one', revocationTtl: TTL });
  }

  override async *revocations(): AsyncIterable<readonly Revocation[]> {
    this.asked++;
    if (this.away) throw new BrokerError('log-unavailable', 'away');
    yield* super.revocations();
  }

  async subjects(): Promise<(string | undefined)[]> {
    const pages: Revocation[] = [];
    for await (const page of super.revocations()) pages.push(...page);
    return pages.map(({ subject }) => subject);
  }
}

const open: RevocationSync[] = [];
afterEach(() => {
  for (const sync of open.splice(0)) sync.close();
  vi.useRealTimers();
});

function opened(): {
  list: SharedList;
  revocations: Revocations;
  sync: RevocationSync;
  learned: () => number;
} {
  const list = new SharedList();
  const revocations = new Revocations({ ttl: TTL });
  let learned = 0;
  const sync = new RevocationSync({ bus: list, revocations, onLearned: () => learned++ });
  open.push(sync);
  return { list, revocations, sync, learned: () => learned };
}

function revocationOf(subject: string): Revocation {
  return { subject, channel: undefined, until: Date.now() };
}

test('revocations in the list are added here, and reported once', async () => {
  const { list, revocations, sync, learned } = opened();
  await list.restore([revocationOf('7'), revocationOf('8')]);
  sync.start();
  await expect.poll(learned).toBe(1);
  expect(revocations.size).toBe(2);
  const asked = list.asked;
  sync.start();
  await expect.poll(() => list.asked).toBe(asked + 1);
  await nextTurn();
  expect(learned()).toBe(1);
});

test('revocations that the list has lost are put back', async () => {
  const { list, revocations, sync } = opened();
  await list.restore([revocationOf('kept')]);
  for (let i = 0; i < 1_200; i++) revocations.add(revocationOf(`lost ${i}`));
  sync.start();
  await expect.poll(async () => (await list.subjects()).length).toBe(1_201);
});

test('requests during a comparison lead to one more comparison', async () => {
  const { list, revocations, sync } = opened();
  for (let i = 0; i < 5; i++) sync.start();
  await expect.poll(() => list.asked).toBe(2);
  await list.restore([revocationOf('7')]);
  sync.start();
  await expect.poll(() => revocations.size).toBe(1);
  expect(list.asked).toBe(3);
});

test('an unavailable list is read again until it answers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { list, revocations, sync } = opened();
  await list.restore([revocationOf('7')]);
  list.away = true;
  sync.start();
  for (let i = 1; i <= 3; i++) {
    while (list.asked < i) await nextTurn();
    await nextTurn();
    expect(revocations.size).toBe(0);
    if (i === 3) list.away = false;
    vi.advanceTimersByTime(1_000);
  }
  while (revocations.size === 0) await nextTurn();
  expect(list.asked).toBe(4);
});
