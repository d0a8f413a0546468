import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../src/events/channel-name.ts';
import { ORIGIN } from '../../src/events/event.ts';
import { MemoryEventLog } from '../../src/log/embedded/memory-event-log.ts';
import { POLICY, appendOne } from '../support/append-one.ts';
import { Listener } from '../support/listener.ts';
import { TestedChannel, recordsOf } from '../support/tested-channel.ts';
import { DEFAULTS } from './event-log-contract.ts';

describe('the embedded log, when channels end or are cleared', () => {
  const MANY = { size: 1_000_000, ttl: 60_000 };
  const page = Array.from({ length: 256 }, (_, i) => String(i));
  let log: MemoryEventLog;
  const open = (maxBytes: number): TestedChannel => {
    log = new MemoryEventLog({ ...DEFAULTS, maxBytes });
    return new TestedChannel(log);
  };
  const append = async (channel: TestedChannel, pages: number): Promise<void> => {
    for (let i = 0; i < pages; i++) await channel.append(page, { policy: MANY });
  };
  /** Counts the turns of the event loop until the memory is below the limit. */
  const turnsUntilBelow = async (bytes: number): Promise<number> => {
    let turns = 0;
    for (; log.bytes > bytes; turns++) await nextTurn();
    return turns;
  };

  /** Counts the turns in which the memory of a large channel is freed after some clears in a row. */
  const turnsAfter = async (clears: number): Promise<number> => {
    const channel = open(256 * 1024 * 1024);
    const empty = log.bytes;
    await append(channel, 1_000);
    for (let i = 0; i < clears; i++) {
      await channel.append(['a'], { policy: MANY });
      await channel.clear(MANY);
    }
    const turns = await turnsUntilBelow(empty + 1_000);
    await log.close();
    return turns;
  };

  afterEach(() => log.close());

  test('many events are gone at once, and their memory is freed in slices', async () => {
    const channel = open(256 * 1024 * 1024);
    const empty = log.bytes;
    await append(channel, 2_000);
    const full = log.bytes;
    await channel.clear(MANY);
    expect(await channel.records(MANY)).toEqual([channel.cleared]);
    expect(log.bytes).toBeGreaterThanOrEqual(full);
    expect(await turnsUntilBelow(empty + 1_000)).toBeGreaterThan(1);
    expect(await channel.records(MANY)).toEqual([channel.cleared]);
  });

  test('while the memory is freed, the channel and others go on, and are cleared again', async () => {
    const channel = open(256 * 1024 * 1024);
    const other = new TestedChannel(log);
    const empty = log.bytes;
    await append(channel, 1_000);
    await append(other, 1_000);
    for (const one of [channel, other]) await one.clear(MANY);
    for (let i = 0; i < 3; i++) {
      const before = await channel.last(['a', 'b'], { policy: MANY });
      await channel.clear(MANY);
      const [, last] = await channel.append(['c', 'd'], { policy: MANY });
      expect(await channel.records(MANY)).toEqual([channel.cleared, ...recordsOf(['c', 'd'])]);
      expect(await channel.read(before, MANY)).toMatchObject({ complete: true, tail: last });
      expect(await channel.read(ORIGIN, MANY)).toMatchObject({ complete: false, tail: last });
      await nextTurn();
    }
    await turnsUntilBelow(empty + 4_000);
    expect(await channel.records(MANY)).toEqual([channel.cleared, ...recordsOf(['c', 'd'])]);
    expect(await other.records(MANY)).toEqual([other.cleared]);
  });

  test('clears in a row while the memory is freed hold the event loop no longer than one', async () => {
    const turns = await turnsAfter(1);
    expect(await turnsAfter(100)).toBeGreaterThan(turns / 3);
  });

  test('thousands of clears among publishes leave no memory behind', async () => {
    const channel = open(64 * 1024 * 1024);
    const listener = await channel.follow();
    const empty = log.bytes;
    for (let i = 0; i < 5_000; i++) {
      await channel.append(['a', 'b', 'c']);
      expect(await channel.clear()).toBe(true);
    }
    const { tail } = await channel.state();
    await listener.heard((id) => id === tail);
    expect(listener.ids).toHaveLength(20_000);
    await turnsUntilBelow(empty + 1_000);
  });

  test('a full log drops cleared events like others, and forgets nothing else', async () => {
    const channel = open(1024 * 1024);
    const limit = 1024 * 1024;
    const busy = new TestedChannel(log);
    for (let i = 0; i < 50; i++) {
      await append(channel, 10);
      await channel.clear(MANY);
      const id = await busy.last(['x'.repeat(1_000)]);
      expect((await busy.read(ORIGIN)).events.at(-1)?.id).toBe(id);
      expect(log.bytes).toBeLessThanOrEqual(limit);
    }
  });

  test('a full log makes room from cleared events first', async () => {
    const old = open(1024 * 1024);
    const bulky = new TestedChannel(log);
    const busy = new TestedChannel(log);
    await old.append(['a', 'b']);
    const records = await old.records();
    while (log.bytes < 900 * 1024) await append(bulky, 1);
    await bulky.clear(MANY);
    for (let i = 0; i < 2_000; i++) await busy.append(['c'], { policy: MANY });
    expect(await old.records()).toEqual(records);
  });

  test('the end of a channel outlives channels of invented names, and is forgotten with its tail', async () => {
    const channel = open(4 * 1024 * 1024);
    await channel.append([], { end: true });
    for (let i = 0; i < 60_000; i++) log.follow(parseChannelName(`made-up-${i}`), new Listener())();
    expect(await channel.state()).toEqual({ tail: ORIGIN, status: 'ended' });
    const ended = new TestedChannel(log);
    const tail = await ended.last(['a'], { end: true });
    for (let i = 0; i < 60_000; i++) await appendOne(log, parseChannelName(`job-${i}`), 'x');
    const states = await Promise.all([channel.state(), ended.state()]);
    for (const { status } of states) expect(status).toBe('empty');
    const [{ tail: forgotten }] = states;
    expect(await ended.read(tail)).toMatchObject({
      events: [],
      ended: false,
      complete: false,
      tail: forgotten,
    });
    expect(await ended.clear()).toBe(false);
    await expect(ended.append(['b'], { ifLast: tail })).rejects.toMatchObject({
      members: { tail: forgotten },
    });
    await ended.append(['b'], { ifLast: forgotten });
    expect(log.bytes).toBeLessThanOrEqual(4 * 1024 * 1024);
  });

  test('a key of an ended or cleared channel is remembered as long as any other', async () => {
    const channel = open(1024 * 1024);
    const options = { policy: POLICY, idempotencyKey: 'k', end: true };
    const first = await log.append(channel.name, [{ data: 'a' }], options);
    await channel.clear();
    await nextTurn();
    expect(await log.append(channel.name, [{ data: 'a' }], options)).toEqual([
      { id: first[0]?.id, replayed: true },
    ]);
  });
});
