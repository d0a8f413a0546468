import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseChannelName } from '../../../../src/events/channel-name.ts';
import { ORIGIN, compareEventIds } from '../../../../src/events/event.ts';
import type { LatestCursor } from '../../../../src/log/event-log.ts';
import { KEEP, StoreFolder } from '../../../support/store-folder.ts';

const a = parseChannelName('a');

let files: StoreFolder;
beforeEach(() => {
  files = new StoreFolder();
  files.append('a', ['1', '2', '3', '4', '5']);
});
afterEach(() => {
  files.store.close();
  files.remove();
});

/** Changes rows of the closed database as damaged bytes would. The newest event has the largest place. */
function damage(sql: string): void {
  files.store.close();
  const database = new DatabaseSync(join(files.folder, 'sluice.db'));
  database.exec(sql);
  database.close();
  files.open();
}

const THIRD = 'WHERE place = (SELECT place FROM events ORDER BY place LIMIT 1 OFFSET 2)';

test.each([
  ['a byte of its record', `UPDATE events SET record = record || 'x' ${THIRD}`],
  ['its id', `UPDATE events SET ms = ms + 1 ${THIRD}`],
  ['a number that JavaScript cannot hold', `UPDATE events SET seq = 9223372036854775807 ${THIRD}`],
  ['a text where a number was', `UPDATE events SET at = 'text' ${THIRD}`],
  ['no record', `UPDATE events SET record = NULL ${THIRD}`],
  ['a missing row', `DELETE FROM events ${THIRD}`],
])('an event in the middle with %s is left out, and there is a gap in its place', (_damage, sql) => {
  const ids = files.content('a').events.map(({ id }) => id);
  damage(sql);
  expect(files.data('a')).toEqual(['1', '2', '4', '5']);
  expect(files.content('a').gaps).toBe(1);
  for (const [index, complete] of [true, false, true, true, true].entries())
    expect(files.store.read(a, ids[index] ?? ORIGIN, 10, KEEP).complete).toBe(complete);
  files.append('a', ['6']);
  expect(files.data('a')).toEqual(['1', '2', '4', '5', '6']);
  expect(files.content('a').gaps).toBe(1);
});

test.each([
  ['a byte of its record', "record = record || 'x'"],
  ['an id far in the future', 'ms = 9223372036854775807'],
])('a newest event with %s is left out, and everyone gets a gap behind it', (_damage, change) => {
  const { tail } = files.store.state(a);
  damage(`UPDATE events SET ${change} WHERE place = (SELECT max(place) FROM events)`);
  expect(files.data('a')).toEqual(['1', '2', '3', '4']);
  expect(files.notices).toMatchObject([{ kind: 'damaged', channel: 'a' }]);
  for (const position of [tail, files.content('a').events.at(-1)?.id ?? ORIGIN])
    expect(files.store.read(a, position, 10, KEEP).complete).toBe(false);
  const next = files.append('a', ['6']);
  expect(compareEventIds(tail, next.tail)).toBeLessThanOrEqual(0);
  expect(files.data('a')).toEqual(['1', '2', '3', '4', '6']);
  expect(files.content('a').gaps).toBe(1);
});

test.each([1, 2, 3, 10])('a key with damaged bytes hides no other key, in pages of %d', (limit) => {
  files.append(
    'a',
    Array.from({ length: 8 }, (_, i) => ({ data: `${i}`, key: `k${i}` })),
  );
  damage("UPDATE latest SET record = record || 'x' WHERE id IN (1, 3, 4, 8)");
  const found: string[] = [];
  let next: LatestCursor | undefined;
  do {
    const page = files.store.readLatest(a, next, { limit, maxBytes: 1_000 });
    found.push(...page.events.map(({ record }) => record.toString().slice(-1)));
    ({ next } = page);
  } while (next !== undefined);
  expect(found).toEqual(['1', '4', '5', '6']);
});

test('an idempotency key with damaged bytes is forgotten', () => {
  const positions = [{ name: 'a k', digest: '0123456789abcdef' }];
  files.append('a', ['x'], { positions });
  damage('UPDATE idempotency SET ms = 9223372036854775807');
  expect(files.append('a', ['x'], { positions }).results).toMatchObject([{ replayed: false }]);
});
