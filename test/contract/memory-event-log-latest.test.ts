import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { MAX_KEYS } from '../../src/events/channel-policies.ts';
import type { EventId } from '../../src/events/event.ts';
import { TAIL_TTL_MS } from '../../src/log/event-log.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import type { MemoryEventLogOptions } from '../../src/log/embedded/memory-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { KeyedChannel } from '../support/keyed-channel.ts';
import { DEFAULTS } from './event-log-contract.ts';

describe('the states of channels in the embedded log', () => {
  const MIB = 1024 * 1024;
  const SMALL = { size: 1, ttl: 60_000, keys: MAX_KEYS };
  let log: MemoryEventLog;
  let dropped: number;
  let now: number;

  const open = (options: Partial<MemoryEventLogOptions> = {}): void => {
    dropped = 0;
    now = 1_000_000_000;
    log = new MemoryEventLog({
      ...DEFAULTS,
      maxBytes: MIB,
      onKeysDropped: (keys) => (dropped += keys),
      ...options,
    });
  };
  /** With clocks that {@link wait} advances. */
  const openWithClocks = (): void => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    open({ wallClock: () => now, steadyClock: () => now });
  };
  /** Lets the time pass, and has the log drop what is too old. */
  const wait = (ms: number): void => {
    now += ms;
    vi.advanceTimersByTime(10_000);
  };
  /** Appends to many other channels. */
  const flood = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await appendOne(log, parseChannelName(`job-${i}`), 'x');
  };

  afterEach(async () => {
    vi.useRealTimers();
    await log.close();
  });

  test('take a quarter of the memory; then the key that changed longest ago in any channel goes', async () => {
    open();
    const [old, busy] = [new KeyedChannel(log), new KeyedChannel(log)];
    await old.set('a', 'x'.repeat(1_000));
    await old.set('b', 'x'.repeat(1_000));
    await busy.set('c', 'x'.repeat(1_000));
    await old.set('a', 'y'.repeat(1_000));
    let count = 0;
    const setNext = (): Promise<EventId> => busy.set(`key-${count++}`, 'x'.repeat(1_000), { policy: SMALL });
    while ((await old.keys()).includes('b') || (await busy.keys()).includes('c')) await setNext();
    expect(await old.keys()).toEqual(['a']);
    const kept = (await busy.keys()).length;
    expect(kept).toBeGreaterThan(150);
    expect(kept).toBeLessThan(256);
    await setNext();
    expect(await old.keys()).toEqual([]);
    expect(dropped).toBe(3);
    expect(log.bytes).toBeLessThanOrEqual(MIB);
  });

  test('do not have an event that is larger than their memory, nor the older event of its key', async () => {
    open();
    const channel = new KeyedChannel(log);
    await channel.set('a', '1');
    await channel.set('b', '2');
    await channel.set('a', 'x'.repeat(300_000));
    expect(await channel.keys()).toEqual(['b']);
    expect(dropped).toBe(1);
    await channel.set('a', '3');
    expect(await channel.keys()).toEqual(['b', 'a']);
  });

  test('stay when events and tails of other channels fill the memory', async () => {
    open();
    const channel = new KeyedChannel(log);
    const tail = await channel.set('a', '1');
    await flood(20_000);
    expect(await channel.entries()).toEqual([['a', '1']]);
    expect(await channel.state()).toEqual({ tail, status: 'open' });
    expect(log.bytes).toBeLessThanOrEqual(MIB);
  });

  test('of many channels stay within the limit, and push out no events', async () => {
    open();
    const busy = new KeyedChannel(log);
    await busy.append(['kept']);
    for (let i = 0; i < 5_000; i++) {
      await new KeyedChannel(log).set('a', '1', { policy: { size: 0, ttl: 60_000 } });
      if (i % 100 === 0) expect(log.bytes).toBeLessThanOrEqual(MIB);
    }
    expect(dropped).toBeGreaterThan(3_000);
    expect(await busy.records()).toHaveLength(1);
  });

  test('are gone with the tail, a day after the last event has expired', async () => {
    openWithClocks();
    const channel = new KeyedChannel(log);
    const empty = log.bytes;
    const tail = await channel.set('a', '1');
    wait(POLICY.ttl + 1);
    wait(TAIL_TTL_MS - 1);
    expect(await channel.entries()).toEqual([['a', '1']]);
    wait(TAIL_TTL_MS);
    expect(await channel.latest()).toMatchObject({ events: [], tail });
    await expect.poll(() => log.bytes).toBe(empty);
    expect(dropped).toBe(0);
    await channel.set('b', '2');
    expect(await channel.keys()).toEqual(['b']);
  });

  test('live as long as their channel has events without keys', async () => {
    openWithClocks();
    const channel = new KeyedChannel(log);
    await channel.set('a', '1');
    for (let day = 0; day < 5; day++) {
      await channel.append(['no key']);
      wait(TAIL_TTL_MS);
    }
    expect(await channel.keys()).toEqual(['a']);
  });

  test('a channel whose keys were all deleted is forgotten like others', async () => {
    open();
    const channel = new KeyedChannel(log);
    await channel.set('a', '1');
    const tail = await channel.delete('a');
    await flood(20_000);
    expect((await channel.state()).tail).not.toBe(tail);
  });

  test('many keys are gone at once, and their memory is freed in slices', async () => {
    open({ maxBytes: 64 * MIB });
    const channel = new KeyedChannel(log);
    const empty = log.bytes;
    const large = { key: '', data: 'x'.repeat(1_000) };
    for (let i = 0; i < MAX_KEYS; i += 250) {
      const events = Array.from({ length: 250 }, (_, k) => ({ ...large, key: `key-${i + k}` }));
      await channel.publish(events, { policy: SMALL });
    }
    const full = log.bytes;
    await channel.clear();
    expect(await channel.keys()).toEqual([]);
    expect(log.bytes).toBeGreaterThan(full - 10_000);
    for (const key of ['key-5', 'new']) await channel.set(key, 'y');
    for (let turns = 0; log.bytes > empty + 2_000; turns++) {
      await nextTurn();
      expect(turns).toBeLessThan(10_000);
    }
    expect(await channel.entries()).toEqual([
      ['key-5', 'y'],
      ['new', 'y'],
    ]);
    expect(dropped).toBe(0);
  });

  test('thousands of changes, deletions and clears leave no memory behind', async () => {
    open();
    const channel = new KeyedChannel(log);
    await channel.append(['x']);
    const before = log.bytes;
    for (let i = 0; i < 3_000; i++) {
      await channel.set(`key-${i % 7}`, 'x'.repeat(i % 500));
      if (i % 3 === 0) await channel.delete(`key-${i % 5}`);
      if (i % 50 === 0) await channel.clear();
      if (i % 100 === 0) await nextTurn();
    }
    await channel.clear();
    for (let turns = 0; log.bytes > before; turns++) {
      await nextTurn();
      expect(turns).toBeLessThan(1_000);
    }
  });

  test('a page that was read does not change when the log reuses the memory', async () => {
    open();
    const channel = new KeyedChannel(log);
    await channel.fill(50);
    const { events } = await channel.latest();
    const before = events.map(({ record }) => record.toString());
    await channel.clear();
    await nextTurn();
    for (let i = 0; i < 100; i++) await channel.set(`other-${i}`, 'y'.repeat(100));
    expect(events.map(({ record }) => record.toString())).toEqual(before);
    const bytes = events.reduce((sum, { record }) => sum + record.length, 0);
    expect(events[0]?.record.buffer.byteLength).toBe(bytes);
  });
});
