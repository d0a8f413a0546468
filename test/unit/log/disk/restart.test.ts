import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN, compareEventIds } from '../../../../src/events/event.ts';
import type { EventId } from '../../../../src/events/event.ts';
import { TAIL_TTL_MS } from '../../../../src/log/event-log.ts';
import { KEEP, StoreFolder } from '../../../support/store-folder.ts';

const [a, b] = [parseChannelName('a'), parseChannelName('b')];
const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`);

describe('a log on disk that is closed and opened again', () => {
  let files: StoreFolder;
  const restart = (): void => {
    files.store.close();
    files.open();
  };
  const lastId = (channel: string, events: readonly string[], options = {}): EventId =>
    files.append(channel, events, options).tail;

  beforeEach(() => {
    files = new StoreFolder();
  });
  afterEach(() => {
    files.store.close();
    files.remove();
  });

  test.each([131_070, 2 ** 27 - 4])('works with channel numbers above %d', (number) => {
    files.append('a', ['first']);
    files.store.close();
    const database = new DatabaseSync(join(files.folder, 'sluice.db'));
    database.exec(`INSERT INTO garbage VALUES (${number})`);
    database.close();
    files.open();
    const channels = ['b', 'c', 'd', 'e', 'f'];
    for (const channel of channels) files.append(channel, [...texts(2), { data: 't2', key: 'k' }]);
    files.clear('b');
    files.work();
    restart();
    for (const channel of channels.slice(1)) expect(files.data(channel)).toEqual(texts(3));
    expect(files.data('a')).toEqual(['first']);
    expect(files.notices).toEqual([]);
  });

  test('has all events in their order, and the chain goes on', () => {
    files.append('a', texts(300));
    const tail = lastId('a', ['last']);
    files.append('b', texts(3));
    const before = files.content('a');
    restart();
    expect(files.content('a')).toEqual(before);
    expect(files.store.state(a)).toEqual({ tail, status: 'open' });
    const { prev } = files.append('a', ['next']);
    expect(prev).toBe(tail);
    expect(files.content('a')).toMatchObject({ gaps: 0 });
    expect(files.data('b')).toEqual(texts(3));
  });

  test('knows the end of a channel, and that a channel was cleared', () => {
    files.append('a', texts(3), { end: true });
    files.append('b', texts(3));
    files.clear('b');
    restart();
    expect([files.store.state(a).status, files.store.state(b).status]).toEqual(['ended', 'empty']);
    expect(files.commit([files.request('a', ['x'])])).toEqual([{ kind: 'refused', reason: 'channel-ended' }]);
    expect(files.content('b').events).toHaveLength(1);
    expect(files.content('b').gaps).toBe(1);
  });

  test('knows the tail of a channel that keeps no events, of one that lost them all, and of one that only ended', () => {
    const none = { size: 0, ttl: 60_000 };
    const tail = lastId('a', texts(3), { policy: none });
    const other = lastId('b', texts(3), { policy: { size: 10, ttl: 1_000 } });
    files.append('c', [], { end: true });
    files.now += 10_000;
    files.work();
    restart();
    expect(files.store.read(a, tail, 10, none)).toMatchObject({ events: [], tail, complete: true });
    expect(files.store.read(b, other, 10, KEEP)).toMatchObject({ events: [], tail: other, complete: true });
    expect(files.store.read(b, ORIGIN, 10, KEEP).complete).toBe(false);
    expect(files.store.state(parseChannelName('c'))).toEqual({ tail: ORIGIN, status: 'ended' });
    expect(files.append('b', ['next']).prev).toBe(other);
  });

  test('remembers idempotency keys', () => {
    const positions = [{ name: 'a k', digest: '0123456789abcdef' }];
    const tail = lastId('a', ['x'], { positions });
    restart();
    expect(files.append('a', ['x'], { positions }).results).toEqual([{ id: tail, replayed: true }]);
    expect(files.store.checkKeys([{ name: 'a k', digest: 'another digest..' }])).toBe(false);
    files.now += 60_001;
    expect(files.append('a', ['x'], { positions }).results).toMatchObject([{ replayed: false }]);
  });

  test('gives larger ids also when the clock was set back, and keeps events as long as before', () => {
    const policy = { size: 100, ttl: 60_000 };
    const ids = [lastId('a', ['1'], { policy })];
    files.store.close();
    files.now -= 3_600_000;
    files.open();
    ids.push(lastId('a', ['2'], { policy }), lastId('a', ['3'], { policy }));
    for (const [i, id] of ids.entries())
      if (i > 0) expect(compareEventIds(ids[i - 1] as EventId, id)).toBeLessThan(0);
    expect(files.data('a', policy)).toEqual(['1', '2', '3']);
    // The first event is not kept for an hour more.
    files.now += 60_001;
    expect(files.data('a', policy)).toEqual([]);
  });

  test('forgets a tail after a day, and then no unknown channel of that part of the names claims to be complete', () => {
    const tail = lastId('a', ['x'], { policy: { size: 10, ttl: 1_000 } });
    files.now += 10_000;
    files.work();
    files.now += TAIL_TTL_MS + 10_000;
    files.work();
    for (let round = 0; round < 2; round++) {
      // The forgotten tail is the tail of the unknown channel.
      expect(files.store.state(a)).toEqual({ tail, status: 'empty' });
      expect(files.store.read(a, ORIGIN, 10, KEEP).complete).toBe(false);
      // Other names are in other parts.
      expect(files.store.state(b)).toEqual({ tail: ORIGIN, status: 'empty' });
      restart();
    }
    expect(files.append('a', ['next']).prev).toBe(tail);
  });

  test('a followed channel keeps its tail, although the tail of another name in its part is forgotten', () => {
    const [followed, other] = [parseChannelName('c59'), parseChannelName('c500')];
    files.store.follow(followed, true);
    const { tail } = files.append('c500', ['x'], { policy: { size: 10, ttl: 1_000 } });
    files.now += 10_000;
    files.work();
    files.now += TAIL_TTL_MS + 10_000;
    files.work();
    expect(files.store.state(other)).toEqual({ tail, status: 'empty' });
    expect(files.store.state(followed)).toEqual({ tail: ORIGIN, status: 'empty' });
    expect(files.append('c59', ['x']).prev).toBe(ORIGIN);
  });

  test('the tail of a followed channel is not forgotten', () => {
    const { tail } = files.append('a', ['x'], { policy: { size: 10, ttl: 1_000 } });
    files.store.follow(a, true);
    files.now += 10_000;
    files.work();
    files.now += TAIL_TTL_MS + 10_000;
    files.work();
    expect(files.store.state(a)).toEqual({ tail, status: 'open' });
    files.store.follow(a, false);
    files.now += TAIL_TTL_MS + 10_000;
    files.work();
    expect(files.store.state(a)).toEqual({ tail, status: 'empty' });
  });

  test('uses numbers of channels again when the largest number was used', () => {
    files.append('a', texts(3));
    files.store.close();
    const database = new DatabaseSync(join(files.folder, 'sluice.db'));
    database.exec(`INSERT INTO garbage VALUES (${2 ** 27 - 1})`);
    database.close();
    files.open();
    for (let i = 0; i < 20; i++) files.append(`new-${i}`, [`x${i}`]);
    files.clear('a');
    files.append('a', ['after']);
    files.work();
    restart();
    for (let i = 0; i < 20; i++) expect(files.data(`new-${i}`)).toEqual([`x${i}`]);
    expect(files.data('a').at(-1)).toBe('after');
    expect(files.content('a').gaps).toBe(1);
  });
});
