import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN, compareEventIds } from '../../../../src/events/event.ts';
import type { EventId, StoredEvent } from '../../../../src/events/event.ts';
import { seededRandom } from '../../../support/seeded-random.ts';
import { KEEP, StoreFolder } from '../../../support/store-folder.ts';

const CHANNELS = Array.from({ length: 20 }, (_, i) => `channel-${i}`);
const SEED = Number(process.env['FLIP_SEED'] ?? 1);
const ROUNDS = Number(process.env['FLIPS'] ?? 30);

/** A wrong byte at any place of a closed database. */
describe('a database with a wrong byte', () => {
  let original: StoreFolder;
  const written = new Map<string, readonly StoredEvent[]>();

  beforeAll(() => {
    original = new StoreFolder();
    const random = seededRandom(SEED);
    for (let i = 0; i < 600; i++) {
      original.now += Math.floor(random() * 3);
      const events = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, j) => ({
        data: `${i} ${j} ${'x'.repeat(random() < 0.02 ? 9_000 : random() * 400)}`,
        ...(random() < 0.3 && { key: `key-${Math.floor(random() * 10)}` }),
      }));
      const positions = events.map((_, j) => ({ name: `${i} ${j}`, digest: '0123456789abcdef' }));
      original.append(CHANNELS[Math.floor(random() * CHANNELS.length)] as string, events, { positions });
    }
    for (const channel of CHANNELS) written.set(channel, original.content(channel).events);
    original.store.close();
  });
  afterAll(() => original.remove());

  /** A copy of the database with one byte changed. */
  function damagedCopy(random: () => number): { readonly folder: string; readonly at: number } {
    const folder = join(original.folder, 'copy');
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const file of readdirSync(original.folder, { withFileTypes: true }))
      if (file.isFile()) copyFileSync(join(original.folder, file.name), join(folder, file.name));
    const path = join(folder, 'sluice.db');
    const bytes = readFileSync(path);
    const at = Math.floor(random() * bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
    writeFileSync(path, bytes);
    return { folder, at };
  }

  /** The channels whose content is as it was. The others are told to subscribers as incomplete. */
  function wholeChannels(log: StoreFolder): number {
    let whole = 0;
    for (const channel of CHANNELS) {
      const all = written.get(channel) as readonly StoredEvent[];
      const { events, gaps, tail } = log.content(channel);
      const byId = new Map(all.map((event) => [event.id, event.record.toString()]));
      let last: EventId | undefined;
      for (const { id, record } of events) {
        expect(byId.get(id)).toBe(record.toString());
        if (last !== undefined) expect(compareEventIds(last, id)).toBeLessThan(0);
        last = id;
      }
      const newest = all.at(-1)?.id as EventId;
      const isWhole = events.length === all.length && tail === newest;
      if (isWhole) whole++;
      else {
        // A reader with the newest event gets a gap. A channel without its oldest events is the same as one that has dropped them.
        // A channel without its entry in the index of names is the same as a forgotten one.
        const atNewest = log.store.read(parseChannelName(channel), newest, 10, KEEP);
        expect(gaps > 0 || !atNewest.complete).toBe(true);
        const lacksOldest = gaps === 1 && tail === newest && events.at(-1)?.id === newest;
        const isHidden = tail === ORIGIN;
        if (!lacksOldest && !isHidden) expect(log.notices.length).toBeGreaterThan(0);
      }
    }
    return whole;
  }

  /** The state has only events that were written, in their order. */
  function expectKnownState(log: StoreFolder, channel: string): void {
    const all = new Map((written.get(channel) as readonly StoredEvent[]).map((event) => [event.id, event]));
    const name = parseChannelName(channel);
    let last: EventId | undefined;
    for (const { id, record } of log.store.readLatest(name, undefined, { limit: 100, maxBytes: 1e6 })
      .events) {
      const known = all.get(id)?.record.toString() ?? '1\nknew\n\nnew';
      expect(record.toString()).toBe(known);
      if (last !== undefined) expect(compareEventIds(last, id)).toBeLessThan(0);
      last = id;
    }
  }

  test(`opens, invents nothing, tells what is missing, and goes on, ${ROUNDS} times (FLIP_SEED=${SEED})`, () => {
    const random = seededRandom(SEED);
    let mostlyWhole = 0;
    let setAside = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { folder, at } = damagedCopy(random);
      const log = new StoreFolder({ folder, wallClock: () => original.now, steadyClock: () => original.now });
      try {
        const whole = wholeChannels(log);
        const isAside = readdirSync(folder).some((file) => file.includes('.damaged-'));
        if (isAside) setAside++;
        if (whole >= CHANNELS.length - 2) mostlyWhole++;
        for (const channel of CHANNELS) {
          const before = log.content(channel);
          const { results, prev } = log.append(channel, [{ key: 'new', data: 'new' }]);
          expect(prev).toBe(before.tail);
          const { events, tail } = log.content(channel);
          expect(events.at(-1)).toMatchObject({ id: tail, prev });
          expect(results[0]?.id).toBe(tail);
          const newest = (written.get(channel) as readonly StoredEvent[]).at(-1) as StoredEvent;
          expect(compareEventIds(newest.id, tail)).toBeLessThan(0);
          expectKnownState(log, channel);
          log.clear(channel);
        }
        log.work();
        log.store.close();
        log.open();
        for (const channel of CHANNELS) expect(log.content(channel).events).toHaveLength(1);
      } catch (error) {
        throw new Error(`round ${round}, byte ${at}`, { cause: error });
      } finally {
        try {
          log.store.close();
        } catch {
          // It is closed, or damaged.
        }
      }
    }
    expect(mostlyWhole).toBeGreaterThan(ROUNDS * 0.8);
    expect(setAside).toBeLessThan(ROUNDS * 0.1);
  });
});
