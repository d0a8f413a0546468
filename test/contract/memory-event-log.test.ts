import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/core/channel-name.ts';
import { ORIGIN } from '../../src/core/event.ts';
import type { EventId } from '../../src/core/event.ts';
import { MemoryEventLog } from '../../src/logs/memory-event-log.ts';
import type { MemoryEventLogOptions } from '../../src/logs/memory-event-log.ts';
import { DEFAULTS, eventLogContract } from './event-log-contract.ts';

describe('the embedded log', () => {
  eventLogContract(async (options) => new MemoryEventLog({ ...options, maxBytes: 64 * 1024 * 1024 }));
});

describe('the embedded log, bounded in all', () => {
  const logs: MemoryEventLog[] = [];
  const open = (options: Partial<MemoryEventLogOptions>): MemoryEventLog => {
    const log = new MemoryEventLog({ ...DEFAULTS, maxBytes: 100_000, ...options });
    logs.push(log);
    return log;
  };
  const fields = `data: ${'x'.repeat(1_000)}\n\n`;
  const [a, b] = [parseChannelName('a'), parseChannelName('b')];

  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
  });

  test('the oldest events go first, whichever channel they are of', async () => {
    const log = open({});
    const first = await log.append(a, { fields });
    for (let i = 0; i < 200; i++) await log.append(b, { fields });
    expect(log.bytes).toBeLessThanOrEqual(100_000);
    expect(await log.read(a, ORIGIN, 10)).toMatchObject({ events: [], tail: first.id, complete: false });
    expect((await log.read(b, ORIGIN, 1_000)).events.length).toBeGreaterThan(50);
  });

  test('many channels and many idempotency keys stay within the bound', async () => {
    const log = open({});
    for (let i = 0; i < 3_000; i++) {
      await log.append(parseChannelName(`c${i}`), { fields: 'data: x\n\n' }, { idempotencyKey: `key-${i}` });
      expect(log.bytes).toBeLessThanOrEqual(100_000 + 2_000);
    }
  });

  test('an event that can never fit is refused and changes nothing', async () => {
    const log = open({});
    const { id } = await log.append(a, { fields });
    await expect(log.append(a, { fields: 'x'.repeat(200_000) })).rejects.toMatchObject({ code: 'log-full' });
    expect((await log.read(a, ORIGIN, 10)).events.map((event) => event.id)).toEqual([id]);
    expect((await log.append(a, { fields })).id).not.toBe(id);
    expect((await log.read(a, id, 10)).complete).toBe(true);
  });

  test('ids increase when the clock goes back', async () => {
    let now = 1_000_000;
    const log = open({ clock: () => now });
    const before = await log.append(a, { fields });
    now -= 60_000;
    const after = await log.append(a, { fields });
    expect([before.id, after.id]).toEqual(['1000000-0', '1000000-1'] as EventId[]);
  });
});
