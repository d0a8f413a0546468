import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN } from '../../../../src/events/event.ts';
import { StoreFolder } from '../../../support/store-folder.ts';

let files: StoreFolder;
/** How many more ids can be made; then making one fails, as a write to a full disk does in the middle of a commit. */
let idsLeft: number;

beforeEach(() => {
  idsLeft = Infinity;
  files = new StoreFolder({
    wallClock: () => {
      if (idsLeft-- <= 0) throw new Error('The test lets this fail.');
      return 1_800_000_000_000;
    },
  });
});
afterEach(() => {
  files.store.close();
  files.remove();
});

test('a commit that fails in the middle has changed nothing, and the next one goes on from there', () => {
  const positions = [{ name: 'a k', digest: '0123456789abcdef' }];
  const { tail } = files.append('a', ['a1', 'a2']);
  files.append('b', ['b1']);
  const { commits } = files.store;
  const before = ['a', 'b', 'new'].map((name) => files.content(name));
  const requests = [
    files.request('a', ['x1', 'x2'], { policy: { size: 1, ttl: 5_000 } }),
    files.request('new', [{ data: 'x3', key: 'k' }], { positions }),
    files.request('b', ['x4'], { end: true }),
    files.request('b', ['never']),
    files.request('a', ['x5', 'x6']),
  ];
  idsLeft = 5;
  expect(() => files.commit(requests)).toThrow('The test lets this fail.');
  idsLeft = Infinity;

  expect(files.store.commits).toBe(commits);
  expect(['a', 'b', 'new'].map((name) => files.content(name))).toEqual(before);
  expect(files.store.state(parseChannelName('b')).status).toBe('open');
  expect(files.store.state(parseChannelName('new'))).toEqual({ tail: ORIGIN, status: 'empty' });
  expect(files.append('a', ['a3']).prev).toBe(tail);
  // The key of the failed commit leads to nothing.
  const again = files.append('new', [{ data: 'x3', key: 'k' }], { positions });
  expect([again.prev, again.results[0]?.replayed]).toEqual([ORIGIN, false]);
  const contents = ['a', 'b', 'new'].map((name) => files.content(name));
  files.store.close();
  files.open();
  expect(['a', 'b', 'new'].map((name) => files.content(name))).toEqual(contents);
  expect(contents.map(({ events, gaps }) => [events.length, gaps])).toEqual([
    [3, 0],
    [1, 0],
    [1, 0],
  ]);
});
