import { afterEach, describe, expect, test, vi } from 'vitest';
import { MemoryControlBus } from '../../src/replicas/memory-control-bus.ts';
import type { Revocation } from '../../src/replicas/revocation.ts';
import { command, controlBusContract, keptBy, revocationOf } from './control-bus-contract.ts';

describe('the control bus of one process', () => {
  controlBusContract(() => ({
    open: (options) => new MemoryControlBus(options),
    close: async () => undefined,
  }));
});

test('a command is answered with its count, however long it takes', async () => {
  const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000 });
  const { promise, resolve } = Promise.withResolvers<number>();
  bus.listen({ onCommand: () => promise, onJoined: () => undefined });
  bus.answer('hang', () => new Promise(() => undefined));
  const outcome = bus.request(command());
  // Asked later, and given up after the time that replicas have.
  expect((await bus.ask('hang', null)).missing).toBe(1);
  resolve(30_000);
  expect((await outcome).answers).toEqual([{ replica: 'one', answer: 30_000 }]);
});

describe('when the clock is set', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('%s, a revocation is kept for the same time', async (_where, step) => {
    vi.useFakeTimers();
    const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000 });
    const revocation = revocationOf('7');
    await bus.request(command(revocation));
    vi.setSystemTime(Date.now() + step);
    // Each new revocation removes expired ones.
    await bus.request(command(revocationOf('8')));
    vi.advanceTimersByTime(59_999);
    expect(await keptBy(bus)).toContainEqual(revocation);
    vi.advanceTimersByTime(1);
    expect(await keptBy(bus)).toEqual([]);
  });
});

test('100,000 revocations are listed in pages', async () => {
  const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000 });
  await bus.restore(Array.from({ length: 100_000 }, (_, i) => revocationOf(String(i))));
  const sizes: number[] = [];
  for await (const page of bus.revocations()) sizes.push(page.length);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(5_000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(100_000);
});

describe('a control bus with a store', () => {
  test('answers when the revocation is stored, and not before', async () => {
    const stored = Promise.withResolvers<void>();
    const keep = vi.fn((_kept: readonly Revocation[]) => stored.promise);
    const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000, store: { kept: [], keep } });
    const onCommand = vi.fn(async () => 3);
    bus.listen({ onCommand, onJoined: () => undefined });
    const revocation = revocationOf('7');
    const outcome = bus.request(command(revocation));
    expect(keep.mock.calls.map(([kept]) => kept)).toEqual([[revocation]]);
    expect(onCommand).not.toHaveBeenCalled();
    stored.resolve();
    expect((await outcome).answers).toEqual([{ replica: 'one', answer: 3 }]);
    expect(await keptBy(bus)).toEqual([revocation]);
  });

  test('puts a revocation in force that is stored after all', async () => {
    const late = Promise.withResolvers<() => void>();
    const keep = (_kept: readonly Revocation[], onLate: () => void): Promise<void> => {
      late.resolve(onLate);
      return Promise.reject(new Error('the disk hangs'));
    };
    const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000, store: { kept: [], keep } });
    const onCommand = vi.fn(async () => 3);
    bus.listen({ onCommand, onJoined: () => undefined });
    const revocation = revocationOf('7');
    await expect(bus.request(command(revocation))).rejects.toThrow('the disk hangs');
    expect(onCommand).not.toHaveBeenCalled();
    (await late.promise)();
    expect(onCommand).toHaveBeenCalledExactlyOnceWith(command(revocation));
    expect(await keptBy(bus)).toEqual([revocation]);
  });

  test('does nothing when the revocation cannot be stored', async () => {
    const store = { kept: [], keep: () => Promise.reject(new Error('the disk is full')) };
    const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000, store });
    const onCommand = vi.fn(async () => 3);
    bus.listen({ onCommand, onJoined: () => undefined });
    await expect(bus.request(command(revocationOf('7')))).rejects.toThrow('the disk is full');
    expect(onCommand).not.toHaveBeenCalled();
    expect(await keptBy(bus)).toEqual([]);
  });

  test('begins with the revocations that were kept and are still in force', async () => {
    const kept = [revocationOf('7'), revocationOf('8', Date.now() - 61_000)];
    const store = { kept, keep: async () => undefined };
    const bus = new MemoryControlBus({ replica: 'one', revocationTtl: 60_000, store });
    expect(await keptBy(bus)).toEqual(kept.slice(0, 1));
  });
});
