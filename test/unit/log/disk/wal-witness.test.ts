import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { compareEventIds } from '../../../../src/events/event.ts';
import type { EventId } from '../../../../src/events/event.ts';
import { KEEP, StoreFolder } from '../../../support/store-folder.ts';

const a = parseChannelName('a');

describe('the write-ahead log after a crash', () => {
  let files: StoreFolder;
  let tail: EventId;
  /** Where the files are kept as they were at the crash. */
  let crashed: string;
  const wal = (): string => join(files.folder, 'sluice.db-wal');
  /** Leaves the files as a crash at this moment would, and opens them after a change. */
  const crash = (change: () => void): void => {
    cpSync(files.folder, crashed, { recursive: true });
    files.store.close();
    for (const file of ['sluice.db', 'sluice.db-wal', 'sluice.witness'])
      copyFileSync(join(crashed, file), join(files.folder, file));
    change();
    files.open();
  };
  const flip = (at: number): void => {
    const bytes = readFileSync(wal());
    bytes[at] = (bytes[at] as number) ^ 0x10;
    writeFileSync(wal(), bytes);
  };
  const kinds = (): string[] => files.notices.map(({ kind }) => kind);

  beforeEach(() => {
    crashed = mkdtempSync(join(tmpdir(), 'sluice-crashed-'));
    files = new StoreFolder();
    for (let i = 0; i < 20; i++) ({ tail } = files.append('a', [`t${i}`]));
  });
  afterEach(() => {
    files.store.close();
    files.remove();
    rmSync(crashed, { recursive: true });
  });

  test('has all events, and nothing is reported', () => {
    crash(() => undefined);
    expect(files.data('a')).toHaveLength(20);
    expect(files.content('a')).toMatchObject({ gaps: 0, tail });
    expect(kinds()).toEqual([]);
  });

  test.each([
    ['a byte in the middle is wrong', () => flip(statSync(wal()).size / 2)],
    ['a byte near the end is wrong', () => flip(statSync(wal()).size - 100)],
    ['a byte of its head is wrong', () => flip(17)],
    ['it is cut', () => writeFileSync(wal(), readFileSync(wal()).subarray(0, 5_000))],
    ['it is missing', () => rmSync(wal())],
    ['it is empty', () => writeFileSync(wal(), '')],
  ])('%s: this is reported, every subscriber gets a gap, and the log goes on', (_damage, change) => {
    crash(change);
    expect(kinds()).toEqual(['lost']);
    expect(files.data('a').length).toBeLessThan(20);
    expect(files.store.read(a, tail, 10, KEEP).complete).toBe(false);
    const now = files.store.state(a).tail;
    expect(compareEventIds(tail, now)).toBeLessThan(0);
    const next = files.append('a', ['next']);
    expect(next.prev).toBe(now);
    expect(files.store.read(a, now, 10, KEEP)).toMatchObject({ events: [{ id: next.tail }], complete: true });
    // It is reported once.
    files.store.close();
    files.open();
    expect(kinds()).toEqual(['lost']);
    expect(files.store.read(a, tail, 10, KEEP).complete).toBe(false);
    expect(files.store.read(a, now, 10, KEEP).complete).toBe(true);
  });

  test('that was moved into the database by another program is not missed', () => {
    crash(() => {
      const other = new DatabaseSync(join(files.folder, 'sluice.db'));
      other.prepare('SELECT count(*) FROM events').get();
      other.close();
    });
    expect(files.data('a')).toHaveLength(20);
    expect(kinds()).toEqual([]);
  });

  test('that began anew after the last witness says nothing', () => {
    const witness = readFileSync(join(files.folder, 'sluice.witness'));
    files.store.checkpoint();
    files.append('a', ['after']);
    crash(() => writeFileSync(join(files.folder, 'sluice.witness'), witness));
    expect(files.data('a')).toHaveLength(21);
    expect(kinds()).toEqual([]);
  });

  test('with a torn witness says nothing', () => {
    crash(() => writeFileSync(join(files.folder, 'sluice.witness'), 'torn'));
    expect(files.data('a')).toHaveLength(20);
    expect(kinds()).toEqual([]);
  });

  test('a log that was closed has no witness', () => {
    files.store.close();
    files.open();
    expect(files.data('a')).toHaveLength(20);
    expect(kinds()).toEqual([]);
  });
});
