import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import type { ChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import type { EventId } from '../../src/events/event.ts';
import { encodeRecord } from '../../src/events/record.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import type { MemoryEventLogOptions } from '../../src/log/embedded/memory-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';
import { DEFAULTS, eventLogContract } from './event-log-contract.ts';

describe('the embedded log', () => {
  eventLogContract(async (options) => new MemoryEventLog({ ...options, maxBytes: 64 * 1024 * 1024 }));
});

describe('the embedded log within its memory limit', () => {
  const logs: MemoryEventLog[] = [];
  const open = (options: Partial<MemoryEventLogOptions>): MemoryEventLog => {
    const log = new MemoryEventLog({ ...DEFAULTS, maxBytes: 100_000, ...options });
    logs.push(log);
    return log;
  };
  const kilobyte = 'x'.repeat(1_000);
  const [a, b] = [parseChannelName('a'), parseChannelName('b')];

  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
  });

  test('removes the oldest events first, across all channels', async () => {
    const log = open({});
    const first = await appendOne(log, a, kilobyte);
    for (let i = 0; i < 200; i++) await appendOne(log, b, kilobyte);
    expect(log.bytes).toBeLessThanOrEqual(100_000);
    expect(await log.read(a, ORIGIN, 10, POLICY)).toMatchObject({
      events: [],
      tail: first.id,
      complete: false,
    });
    expect((await log.read(b, ORIGIN, 1_000, POLICY)).events.length).toBeGreaterThan(50);
  });

  test('many channels and many idempotency keys stay within the limit', async () => {
    const log = open({});
    for (let i = 0; i < 3_000; i++) {
      await appendOne(log, parseChannelName(`c${i}`), 'x', { idempotencyKey: `key-${i}` });
      expect(log.bytes).toBeLessThanOrEqual(100_000 + 2_000);
    }
  });

  test('an event that can never fit is refused and changes nothing', async () => {
    const log = open({});
    const { id } = await appendOne(log, a, kilobyte);
    await expect(appendOne(log, a, 'x'.repeat(200_000))).rejects.toMatchObject({ code: 'log-full' });
    expect((await log.read(a, ORIGIN, 10, POLICY)).events.map((event) => event.id)).toEqual([id]);
    expect((await appendOne(log, a, kilobyte)).id).not.toBe(id);
    expect((await log.read(a, id, 10, POLICY)).complete).toBe(true);
  });

  test('events that can never fit together are refused, and none of them is appended or remembered', async () => {
    const log = open({});
    const { id } = await appendOne(log, a, kilobyte);
    const listener = new Listener();
    log.follow(a, listener);
    const many = Array.from({ length: 100 }, () => ({ data: kilobyte }));
    const options = { policy: POLICY, idempotencyKey: 'k' };
    await expect(log.append(a, many, options)).rejects.toMatchObject({ code: 'log-full' });
    expect(await log.read(a, id, 10, POLICY)).toMatchObject({ events: [], tail: id, complete: true });
    const fewer = await log.append(a, many.slice(0, 50), options);
    expect(fewer.every(({ replayed }) => !replayed)).toBe(true);
    expect(listener.announcements).toEqual([50]);
    expect(log.bytes).toBeLessThanOrEqual(100_000);
  });

  test.each([64 * 1024, 100_000, 1024 * 1024])(
    'the largest event that is taken fits into %d bytes',
    async (maxBytes) => {
      const log = open({ maxBytes });
      const channel = parseChannelName('c'.repeat(200));
      for (let length = maxBytes; length > 0; length -= 64) {
        const taken = await appendOne(log, channel, 'x'.repeat(length)).catch(() => undefined);
        if (taken === undefined) continue;
        expect(log.bytes).toBeLessThanOrEqual(maxBytes);
        expect(length).toBeGreaterThan(maxBytes * 0.9);
        break;
      }
    },
  );

  test('an event of any size and text is read back unchanged', async () => {
    const log = open({ maxBytes: 16 * 1024 * 1024 });
    for (const text of ['x', 'é', '☃', '𝄞', 'x☃𝄞']) {
      for (const size of [0, 1, 40, 87, 88, 89, 128, 1_000, 21_844, 21_845, 21_846, 70_001, 600_000]) {
        const { id } = await appendOne(log, a, text.repeat(size));
        const { events } = await log.read(a, await log.rewind(a, 1, POLICY), 1, POLICY);
        expect(
          events[0]?.id === id && events[0].record.toString() === encodeRecord({ data: text.repeat(size) }),
        ).toBe(true);
      }
    }
  });

  test('a read event does not change when the log removes it and reuses its memory', async () => {
    const log = open({});
    const policy = { size: 5, ttl: 60_000 };
    const listener = new Listener();
    log.follow(a, listener);
    for (let i = 0; i < 5; i++) await appendOne(log, a, String(i), { policy });
    const { events } = await log.read(a, ORIGIN, 5, policy);
    for (let i = 0; i < 50; i++) await appendOne(log, a, 'other', { policy });
    for (const heard of [events, listener.events.slice(0, 5)]) {
      expect(heard.map(({ record }) => record.toString())).toEqual(
        ['0', '1', '2', '3', '4'].map((data) => encodeRecord({ data })),
      );
    }
  });

  test('a read or announced event keeps no memory alive but its own', async () => {
    const log = open({});
    const listener = new Listener();
    log.follow(a, listener);
    for (let i = 0; i < 10; i++) await appendOne(log, a, kilobyte);
    for (const { record } of listener.events) expect(record.buffer.byteLength).toBe(record.length);
    const { events } = await log.read(a, ORIGIN, 5, POLICY);
    const bytes = events.reduce((sum, { record }) => sum + record.length, 0);
    expect(events[0]?.record.buffer.byteLength).toBe(bytes);
  });

  test('finding a position costs the same among many events as among few', async () => {
    const log = open({ maxBytes: 64 * 1024 * 1024 });
    const policy = { size: 1_000_000, ttl: 60_000 };
    const ids: EventId[] = [ORIGIN];
    for (let i = 1; i <= 1_000; i++) ids.push((await appendOne(log, a, 'x', { policy })).id);
    for (let i = 0; i < 1_000; i++) {
      const { events, complete } = await log.read(a, ids[i] as EventId, 2, policy);
      expect(complete).toBe(true);
      expect(events.map((event) => [event.prev, event.id])).toEqual(
        ids.slice(i + 1, i + 3).map((id, next) => [ids[i + next], id]),
      );
      expect(await log.rewind(a, 1_000 - i, policy)).toBe(ids[i]);
    }
  });
});

describe('the embedded log, when tails and idempotency keys fill it', () => {
  const SMALL = 4 * 1024 * 1024;
  const logs: MemoryEventLog[] = [];
  const open = (options: Partial<MemoryEventLogOptions>): MemoryEventLog => {
    const log = new MemoryEventLog({ ...DEFAULTS, maxBytes: SMALL, ...options });
    logs.push(log);
    return log;
  };
  const busy = parseChannelName('busy');
  const tiny = 'x';
  const flood = async (log: MemoryEventLog, count: number, first = 0): Promise<void> => {
    for (let i = first; i < first + count; i++) await appendOne(log, parseChannelName(`job-${i}`), tiny);
  };

  /** The CPU time of 50,000 appends to new channels, in a log that already has `channels` channels. */
  const cost = async (channels: number): Promise<number> => {
    const log = open({ maxBytes: channels * 300 });
    await flood(log, channels);
    const before = process.cpuUsage();
    await flood(log, 50_000, channels);
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };

  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
  });

  test.each([8_000, 80_000])('the tails of %d channels push out no events', async (channels) => {
    const log = open({});
    await flood(log, channels);
    for (let i = 0; i < 50; i++) await appendOne(log, busy, 'x'.repeat(1_000));
    expect((await log.read(busy, ORIGIN, 100, POLICY)).events).toHaveLength(50);
    expect(log.bytes).toBeLessThanOrEqual(SMALL);
  });

  test('the oldest tails are forgotten first, and a subscriber at such a position gets a gap', async () => {
    const log = open({});
    const ids: EventId[] = [];
    const names = Array.from({ length: 60_000 }, (_, i) => parseChannelName(`job-${i}`));
    for (const name of names) ids.push((await appendOne(log, name, tiny)).id);
    const known = await Promise.all(
      names.map(async (name, i) => (await log.read(name, ids[i] as EventId, 1, POLICY)).complete),
    );
    const oldest = known.indexOf(true);
    expect(oldest).toBeGreaterThan(0);
    expect(known.slice(oldest).every(Boolean)).toBe(true);
    // The log still knows the channels that have their event, and as many other tails as fit into a quarter of the
    // memory.
    expect(known.length - oldest).toBeGreaterThan(15_000);
    expect(await log.read(names[0] as ChannelName, ids[0] as EventId, 1, POLICY)).toMatchObject({
      events: [],
    });
    // A subscriber at the start of the channel may have missed every event.
    expect((await log.read(names[0] as ChannelName, ORIGIN, 1, POLICY)).complete).toBe(false);
  });

  test('a channel that is followed is never forgotten', async () => {
    const log = open({});
    const { id } = await appendOne(log, busy, tiny);
    const stop = log.follow(busy, new Listener());
    await flood(log, 60_000);
    expect(await log.read(busy, id, 1, POLICY)).toMatchObject({ events: [], tail: id, complete: true });
    stop();
    stop();
    await flood(log, 60_000, 60_000);
    expect((await log.read(busy, id, 1, POLICY)).complete).toBe(false);
  });

  test('channels that are followed but have no events push out no events', async () => {
    const log = open({ maxBytes: 128 * 1024 });
    const { id } = await appendOne(log, busy, tiny);
    for (let i = 0; i < 5_000; i++) log.follow(parseChannelName(`quiet-${i}`), new Listener());
    await appendOne(log, busy, tiny);
    expect((await log.read(busy, ORIGIN, 10, POLICY)).events[0]?.id).toBe(id);
  });

  test('channels that were followed but have no events push out no tails', async () => {
    const log = open({});
    const policy = { size: 1, ttl: 60_000 };
    // The events of another channel push out this channel's event, so only its tail is left.
    const { id } = await appendOne(log, parseChannelName('quiet'), tiny);
    const large = 'x'.repeat(1_000_000);
    for (let i = 0; i < 8; i++) await appendOne(log, parseChannelName(`large-${i}`), large, { policy });
    expect(await log.read(parseChannelName('quiet'), id, 1, POLICY)).toMatchObject({
      events: [],
      complete: true,
    });
    for (let i = 0; i < 60_000; i++) log.follow(parseChannelName(`made-up-${i}`), new Listener())();
    await appendOne(log, busy, tiny, { policy });
    expect(await log.read(parseChannelName('quiet'), id, 1, POLICY)).toMatchObject({
      events: [],
      complete: true,
    });
    expect(log.bytes).toBeLessThanOrEqual(SMALL);
  });

  test('idempotency keys push out no events, and the oldest keys are forgotten first', async () => {
    const log = open({});
    const policy = { size: 10, ttl: 60_000 };
    const other = parseChannelName('other');
    for (let i = 0; i < 50; i++) await appendOne(log, parseChannelName(`kept-${i}`), 'k');
    for (let i = 0; i < 100_000; i++)
      await appendOne(log, other, tiny, { policy, idempotencyKey: `key-${i}` });
    expect((await log.read(parseChannelName('kept-0'), ORIGIN, 10, POLICY)).events).toHaveLength(1);
    expect((await appendOne(log, other, tiny, { policy, idempotencyKey: 'key-0' })).replayed).toBe(false);
    expect((await appendOne(log, other, tiny, { policy, idempotencyKey: 'key-99000' })).replayed).toBe(true);
    expect(log.bytes).toBeLessThanOrEqual(SMALL);
  });

  test('an append costs the same among many channels as among few', async () => {
    await cost(5_000);
    const [few, many] = [await cost(20_000), await cost(160_000)];
    expect(many / few).toBeLessThan(5);
  });
});
