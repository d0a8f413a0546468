import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { StoreFolder } from '../../../support/store-folder.ts';

const MIB = 1024 * 1024;
const DATA_BYTES = 16 * MIB;
const LARGE = 'x'.repeat(1_000_000);

/** When the disk share is full, the oldest events go first. */
describe('a full disk share', () => {
  let log: StoreFolder;
  let largest: number;
  beforeEach(() => {
    log = new StoreFolder({ dataBytes: DATA_BYTES });
    largest = 0;
  });
  afterEach(() => {
    log.store.close();
    log.remove();
  });

  /** Appends in commits, and notes the size of the files. */
  function flood(
    commits: number,
    requestsOf: (commit: number) => Parameters<StoreFolder['commit']>[0],
  ): void {
    for (let commit = 0; commit < commits; commit++) {
      log.now += 100;
      for (const outcome of log.commit(requestsOf(commit))) expect(outcome.kind).toBe('appended');
      largest = Math.max(largest, log.bytes);
    }
  }

  test('drops the oldest events of all channels first, counts them, and says so once', () => {
    const channels = ['a', 'b', 'c', 'd'];
    flood(300, (commit) =>
      channels.map((channel) =>
        log.request(
          channel,
          Array.from({ length: 64 }, () => `${commit} ${'x'.repeat(200)}`),
        ),
      ),
    );
    expect(largest).toBeLessThan(DATA_BYTES);
    const oldest = channels.map((channel) => Number.parseInt(log.data(channel)[0] as string, 10));
    // The log reaches back as far in each channel.
    expect(Math.max(...oldest) - Math.min(...oldest)).toBeLessThan(300 / 10);
    let kept = 0;
    for (const channel of channels) {
      const { events, gaps } = log.content(channel);
      expect(gaps).toBe(1);
      expect(events.at(-1)?.record.toString()).toContain('\n299 ');
      kept += events.length;
    }
    expect(kept).toBeGreaterThan((DATA_BYTES * 0.5) / 260);
    expect(log.store.figures().eventsEvicted).toBe(300 * 64 * 4 - kept);
    expect(log.notices.map(({ kind }) => kind)).toEqual(['evicting']);
  });

  test('keeps up with events of 1 MB, also after many small ones', () => {
    flood(100, (commit) => [
      log.request(
        `small-${commit % 7}`,
        Array.from({ length: 256 }, () => 'x'.repeat(300)),
      ),
    ]);
    flood(10, (commit) => [log.request(`large-${commit % 3}`, [LARGE])]);
    // As many as one commit takes.
    const together = Math.floor(log.store.commitBytes / LARGE.length);
    flood(15, () => Array.from({ length: together }, (_, i) => log.request(`large-${i % 3}`, [LARGE])));
    expect(largest).toBeLessThan(DATA_BYTES);
    expect(log.content('large-0').events.length).toBeGreaterThan(1);
    expect(log.content('small-0').events).toEqual([]);
  });

  test('keeps up with events with keys, whose states have a share of their own', () => {
    flood(200, (commit) => [
      log.request(
        `keyed-${commit % 50}`,
        Array.from({ length: 64 }, (_, i) => ({ key: `key-${commit}-${i}`, data: 'x'.repeat(500) })),
      ),
    ]);
    expect(largest).toBeLessThan(DATA_BYTES);
    expect(log.store.figures().keysEvicted).toBeGreaterThan(0);
    const about = log.store.about(parseChannelName('keyed-49'), { size: 1_000, ttl: 86_400_000 });
    expect(about.keys).toBeGreaterThan(64);
    expect(about.length).toBeGreaterThan(64);
  });

  test('keeps up with idempotency keys, and with many channels', () => {
    flood(100, (commit) =>
      Array.from({ length: 256 }, (_, i) =>
        log.request(`tiny-${commit}-${i}`, ['x'], {
          positions: [{ name: `tiny-${commit}-${i} key`, digest: '0123456789abcdef' }],
        }),
      ),
    );
    expect(largest).toBeLessThan(DATA_BYTES);
    expect(log.content('tiny-99-255').events).toHaveLength(1);
    // Nobody knows any longer what the first channels had.
    const { tail } = log.store.state(parseChannelName('tiny-0-0'));
    expect(
      log.store.read(parseChannelName('tiny-0-0'), '1-0' as never, 10, { size: 1, ttl: 1 }),
    ).toMatchObject({
      complete: false,
      tail,
    });
  });

  test('refuses what can never fit, and takes the next append', () => {
    const [outcome] = log.commit([log.request('a', ['x'.repeat(DATA_BYTES)])]);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'log-full' });
    log.append('a', ['small']);
    expect(log.data('a')).toEqual(['small']);
    expect(log.store.figures().eventsEvicted).toBe(0);
  });

  test('gives space back when channels were cleared', () => {
    flood(20, (commit) => [
      log.request(
        `c-${commit % 2}`,
        Array.from({ length: 4 }, () => 'x'.repeat(100_000)),
      ),
    ]);
    log.work();
    const before = log.bytes;
    for (const channel of ['c-0', 'c-1']) log.clear(channel);
    log.work();
    expect(log.store.figures().usedBytes).toBeLessThan(MIB);
    expect(log.store.figures().fileBytes).toBeLessThan(before - 3 * MIB);
    expect(log.content('c-0').events).toHaveLength(1);
  });
});
