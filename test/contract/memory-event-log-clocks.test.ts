import { afterEach, describe, expect, test, vi } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import type { HistoryPolicy } from '../../src/log/event-log.ts';
import { ORIGIN, compareEventIds } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import type { MemoryEventLogOptions } from '../../src/log/embedded/memory-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { DEFAULTS } from './event-log-contract.ts';

describe('the clocks of the embedded log', () => {
  const DAY = 86_400_000;
  let wall: number;
  let steady: number;
  let log: MemoryEventLog;
  const channel = parseChannelName('a');
  const open = (options: Partial<MemoryEventLogOptions> = {}): void => {
    wall = 1_000_000_000;
    steady = 5_000;
    const clocks = { wallClock: () => wall, steadyClock: () => steady };
    log = new MemoryEventLog({ ...DEFAULTS, maxBytes: 100_000, ...clocks, ...options });
  };
  const append = async (idempotencyKey?: string, policy = POLICY): Promise<EventId> =>
    (await appendOne(log, channel, 'x', { policy, idempotencyKey })).id;
  /** Advances both clocks. */
  const wait = (ms: number): void => {
    wall += ms;
    steady += ms;
  };

  afterEach(async () => {
    vi.useRealTimers();
    await log.close();
  });

  test('ids increase when the clock goes back', async () => {
    open();
    const before = await append();
    wall -= 60_000;
    expect([before, await append()]).toEqual(['1000000000-0', '1000000000-1']);
  });

  test('after a clock that ran a day ahead, events still expire on time in every channel', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open();
    const empty = log.bytes;
    wall += DAY;
    const other = parseChannelName('b');
    const ahead = (await appendOne(log, other, 'x')).id;
    wall -= DAY;
    const id = await append();
    const full = log.bytes;
    wait(POLICY.ttl);
    expect(await log.read(channel, ORIGIN, 10, POLICY)).toMatchObject({ events: [], tail: id });
    expect(await log.read(other, ORIGIN, 10, POLICY)).toMatchObject({ events: [], tail: ahead });
    expect(await log.rewind(channel, 5, POLICY)).toBe(id);
    vi.advanceTimersByTime(10_000);
    expect(log.bytes).toBeLessThan(full);
    // A day later the channels' tails are forgotten, too.
    wait(DAY);
    vi.advanceTimersByTime(10_000);
    expect(log.bytes).toBe(empty);
  });

  test('a clock that is set forward removes no events', async () => {
    open();
    const id = await append();
    wall += DAY;
    expect((await log.read(channel, ORIGIN, 10, POLICY)).events.map((event) => event.id)).toEqual([id]);
  });

  test('an idempotency key is remembered for its time, however the clock is set', async () => {
    open();
    const first = await append('k');
    wall += DAY;
    expect(await append('k')).toBe(first);
    wall -= 2 * DAY;
    expect(await append('k')).toBe(first);
    wait(DEFAULTS.idempotencyTtl);
    expect(await append('k')).not.toBe(first);
  });

  test('a channel that was forgotten after the clock ran ahead gives no id twice, and reports old positions as a gap', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open();
    wall += 3 * DAY;
    const ahead = await append();
    wall -= 3 * DAY;
    for (let i = 0; i < 2; i++) {
      wait(DAY);
      vi.advanceTimersByTime(10_000);
    }
    const anew = await append();
    expect(compareEventIds(ahead, anew)).toBeLessThan(0);
    expect((await log.read(channel, '1000000000-0' as EventId, 10, POLICY)).complete).toBe(false);
    expect((await log.read(channel, ORIGIN, 10, POLICY)).complete).toBe(false);
    expect((await log.read(channel, ORIGIN, 10, POLICY)).events.map((event) => event.id)).toEqual([anew]);
  });

  test('a million events that expire at once do not hold the event loop', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open({ maxBytes: 256 * 1024 * 1024 });
    const many = { ...POLICY, size: 1_000_000 };
    const empty = log.bytes;
    for (let i = 0; i < 1_000_000; i++) await append(undefined, many);
    wait(POLICY.ttl);
    const before = process.cpuUsage();
    expect((await log.read(channel, ORIGIN, 10, POLICY)).events).toEqual([]);
    vi.advanceTimersByTime(10_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(50);
    expect(log.bytes).toBeGreaterThan(100_000_000);
    await expect.poll(() => log.bytes - empty).toBeLessThan(1_000);
  });

  test('each channel keeps its events for the ttl of its last append, and the log frees the rest', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open({ maxBytes: 1_000_000 });
    const [long, short, changed] = ['long', 'short', 'changed'].map(parseChannelName) as [
      ChannelName,
      ChannelName,
      ChannelName,
    ];
    const policies = { long: { size: 100, ttl: DAY }, short: { size: 100, ttl: 1_000 } };
    // The oldest event of all belongs to the channel with the long ttl.
    const kept = (await appendOne(log, long, 'x', { policy: policies.long })).id;
    const alone = log.bytes;
    for (let i = 0; i < 100; i++) {
      await appendOne(log, short, 'x'.repeat(1_000), { policy: policies.short });
      await appendOne(log, changed, 'x'.repeat(1_000), { policy: policies.short });
    }
    await appendOne(log, changed, 'last', { policy: policies.long });
    const all = log.bytes;
    wait(2_000);
    vi.advanceTimersByTime(10_000);
    // The channel with the short ttl keeps only its tail. A sweep that a busy machine interrupts goes on later.
    await expect.poll(() => log.bytes).toBeLessThan(alone + (all - alone) * 0.52);
    expect(log.bytes).toBeGreaterThan(alone + (all - alone) * 0.48);
    expect((await log.read(short, ORIGIN, 10, policies.long)).events).toEqual([]);
    expect((await log.read(changed, ORIGIN, 100, policies.long)).events).toHaveLength(100);
    expect((await log.read(long, ORIGIN, 10, policies.long)).events.map(({ id }) => id)).toEqual([kept]);
  });

  test('a hundred thousand channels with different ttls do not hold the event loop', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open({ maxBytes: 256 * 1024 * 1024 });
    const empty = log.bytes;
    const names = Array.from({ length: 100_000 }, (_, i) => parseChannelName(`c${i}`));
    const policies = [DAY, 1_000].map((ttl) => ({ size: 100, ttl }));
    for (const [i, name] of names.entries())
      await appendOne(log, name, 'x', { policy: policies[i % 2] as HistoryPolicy });
    const full = log.bytes - empty;
    wait(2_000);
    const before = process.cpuUsage();
    vi.advanceTimersByTime(10_000);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(50);
    // Half of the events are removed. Each event takes a block, and so does its channel.
    await expect.poll(() => log.bytes - empty).toBe(full * 0.75);
    expect(
      (await log.read(names[0] as ChannelName, ORIGIN, 1, policies[0] as HistoryPolicy)).events,
    ).toHaveLength(1);
  });
});
