import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../../src/events/event.ts';
import { KEEP, StoreFolder } from '../../../support/store-folder.ts';

const HOUR = 3_600_000;
const short = { size: 1_000, ttl: 1_000 };
const long = { size: 1_000, ttl: HOUR };

describe('old things', () => {
  let log: StoreFolder;
  beforeEach(() => {
    log = new StoreFolder();
  });
  afterEach(() => {
    log.store.close();
    log.remove();
  });

  /** How many events are in the database, whatever a policy says. */
  const stored = (channel: string): number => log.content(channel).events.length;

  test('events leave the database after the ttl of their channel', () => {
    log.append('short', ['a', 'b'], { policy: short });
    log.append('long', ['a', 'b'], { policy: long });
    log.now += 1_500;
    log.append('short', ['c'], { policy: short });
    log.work();
    expect([stored('short'), stored('long')]).toEqual([3, 2]);
    log.now += 600;
    log.work();
    expect([stored('short'), stored('long')]).toEqual([1, 2]);
    log.now += 2 * HOUR;
    log.work();
    expect([stored('short'), stored('long')]).toEqual([0, 0]);
    expect(log.store.figures().eventsEvicted).toBe(0);
    // The tails are still known.
    log.store.close();
    log.open();
    expect(log.content('long')).toMatchObject({ events: [], gaps: 1 });
    const { tail } = log.content('long');
    expect(log.store.read(parseChannelName('long'), tail, 10, long).complete).toBe(true);
  });

  test('a changed policy counts for the events that are there', () => {
    log.append('a', ['1'], { policy: long });
    log.append('b', ['1'], { policy: short });
    log.append('a', ['2'], { policy: short });
    log.append('b', ['2'], { policy: long });
    log.now += 3_000;
    log.work();
    expect([stored('a'), stored('b')]).toEqual([0, 2]);
  });

  test('a channel with many events expires in slices, and appends go on between them', () => {
    const events = Array.from({ length: 256 }, () => 'x');
    for (let i = 0; i < 40; i++)
      log.commit(
        Array.from({ length: 10 }, () => log.request('many', events, { policy: { size: 1e9, ttl: 1_000 } })),
      );
    log.now += 3_000;
    let slices = 0;
    for (let more = true; more; slices++) {
      more = log.store.maintain();
      if (more) log.append('other', [`${slices}`]);
    }
    expect(slices).toBeGreaterThan(3);
    expect(stored('many')).toBe(0);
    expect(log.data('other')).toEqual(Array.from({ length: slices - 1 }, (_, i) => `${i}`));
  });

  test('tails are forgotten a day after the last event, and states with them', () => {
    log.append('a', [{ key: 'k', data: 'v' }], { policy: short });
    log.append('followed', ['1'], { policy: short });
    const { tail } = log.content('a');
    log.store.follow(parseChannelName('followed'), true);
    const followed = log.content('followed').tail;
    log.now += HOUR;
    log.work();
    log.now += 23 * HOUR;
    log.work();
    const name = parseChannelName('a');
    const latest = (): number =>
      log.store.readLatest(name, undefined, { limit: 10, maxBytes: 1_000 }).events.length;
    expect(latest()).toBe(1);
    log.now += 2 * HOUR;
    log.work();
    expect(latest()).toBe(0);
    expect(log.store.list({ prefix: '', cursor: undefined, limit: 10 }).channels).not.toContain(name);
    // Whoever has an older position gets a gap, and no id is used twice.
    expect(log.store.read(name, ORIGIN, 10, long).complete).toBe(false);
    expect(log.store.state(name)).toEqual({ tail, status: 'empty' });
    expect(log.store.state(parseChannelName('followed')).tail).toBe(followed);
    log.now -= 100 * HOUR;
    const { prev, results } = log.append('a', ['again']);
    expect(prev).toBe(tail);
    expect(results[0]?.id.localeCompare(tail, 'en', { numeric: true })).toBeGreaterThan(0);
  });

  test('idempotency keys and revocations expire', () => {
    const positions = [{ name: 'a key', digest: '0123456789abcdef' }];
    const { results } = log.append('a', ['1'], { positions });
    log.commit([{ kind: 'revoke', revocations: [{ key: 'a ', until: log.now }] }]);
    log.commit([
      {
        kind: 'revoke',
        revocations: [
          { key: 'a ', until: log.now - 5 },
          { key: ' s', until: log.now },
        ],
      },
    ]);
    log.store.close();
    log.open();
    expect(log.append('a', ['1'], { positions }).results).toEqual([{ ...results[0], replayed: true }]);
    expect(log.store.revocations('', 10)).toEqual([
      { key: ' s', until: log.now },
      { key: 'a ', until: log.now },
    ]);
    expect(log.store.revocations(' s', 1)).toEqual([{ key: 'a ', until: log.now }]);
    log.now += 61_000;
    log.work();
    expect(log.append('a', ['1'], { positions }).results[0]).toMatchObject({ replayed: false });
    expect(log.store.revocations('', 10)).toEqual([]);
  });

  test('a channel has no more events than its policy allows, and some slack', () => {
    const policy = { size: 100, ttl: HOUR };
    for (let i = 0; i < 40; i++)
      log.append(
        'a',
        Array.from({ length: 50 }, (_, j) => `${i * 50 + j}`),
        { policy },
      );
    expect(log.data('a', policy)).toEqual(Array.from({ length: 100 }, (_, i) => `${1_900 + i}`));
    expect(log.content('a', KEEP).events.length).toBeLessThan(300);
  });
});
