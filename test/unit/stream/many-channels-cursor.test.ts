import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import type { ChannelName } from '../../../src/events/channel-name.ts';
import { channelLabels } from '../../../src/events/cursor-rest.ts';
import type { Place } from '../../../src/events/cursor-rest.ts';
import { parseCursor } from '../../../src/events/cursor.ts';
import type { Start } from '../../../src/events/cursor.ts';
import type { EventId } from '../../../src/events/event.ts';
import { ChannelSet } from '../../../src/stream/channel-set.ts';

const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 1_700_000_000_000n, max: 1_900_000_000_000n }),
  fc.bigInt({ min: 0n, max: 70n }),
  fc.constantFrom(
    2n ** 30n - 1n,
    2n ** 30n,
    1_735_689_599_999n,
    1_735_689_600_000n,
    (72n * 74n ** 7n) / 1_024n + 1_735_689_600_000n - 1n,
    (72n * 74n ** 7n) / 1_024n + 1_735_689_600_000n,
    1_023n,
    1_024n,
    2n ** 53n,
    2n ** 64n - 1n,
  ),
);
const eventId = fc.tuple(u64, u64).map(([ms, seq]) => `${ms}-${seq}` as EventId);
const place = fc.oneof(
  { weight: 5, arbitrary: eventId },
  fc.constantFrom('unreadable' as const, 'not-begun' as const),
);
const channelName = fc
  .stringMatching(/^[A-Za-z0-9._:~-]{1,200}$/)
  .filter((name) => name !== '.' && name !== '..')
  .map(parseChannelName);
const positions = fc.uniqueArray(fc.tuple(channelName, place as fc.Arbitrary<Place>), {
  selector: ([name]) => name,
  minLength: 1,
  maxLength: 100,
});

const LAST: Start = { from: 'last', count: 3 };

function startOf(one: Place): Start {
  if (one === 'not-begun') return LAST;
  return one === 'unreadable' ? { from: 'unreadable' } : { from: 'id', id: one };
}

function cursorOf(entries: readonly (readonly [ChannelName, Place])[], own?: number): string | undefined {
  const set = new ChannelSet(
    '',
    entries.map(([name]) => name),
  );
  return set.cursor(set.positions(entries.map(([, one]) => one)), own);
}

/** Different names with the same label. */
const ALIKE = ((): [ChannelName, ChannelName] => {
  const seen = new Map<string, ChannelName>();
  for (let i = 0; ; i++) {
    const name = parseChannelName(`channel-${i}`);
    const [label = ''] = channelLabels([name]);
    const other = seen.get(label);
    if (other !== undefined) return [other, name];
    seen.set(label, name);
  }
})();

describe('the cursor of many channels', () => {
  test('gives each channel its place back, whichever channel it begins with and whatever the order of the request', () => {
    fc.assert(
      fc.property(positions, fc.nat(), (entries, pick) => {
        const known = entries.flatMap(([, one], index) =>
          one.includes('-') && one !== 'not-begun' ? [index] : [],
        );
        const own = known[pick % Math.max(1, known.length)];
        const cursor = cursorOf(entries, own);
        if (own === undefined) {
          expect(cursor).toBeUndefined();
          return;
        }
        expect(cursor).toMatch(/^[\x21-\x7e]+$/);
        const asked = entries.toReversed();
        const starts = parseCursor(
          cursor ?? '',
          asked.map(([name]) => name),
          () => LAST,
        );
        expect(starts).toEqual(asked.map(([, one]) => startOf(one)));
      }),
    );
  });

  test('leaves out channels that are gone, and starts new ones live', () => {
    fc.assert(
      fc.property(
        positions,
        fc.uniqueArray(channelName, { maxLength: 50 }),
        fc.nat(),
        (entries, more, keep) => {
          const cursor = cursorOf(entries) ?? '';
          const old = new Map(entries);
          const asked = [
            ...new Set([...entries.slice(keep % entries.length).map(([name]) => name), ...more]),
          ];
          if (asked.length === 0 || cursor === '') return;
          const starts = parseCursor(cursor, asked, () => LAST);
          expect(starts).toEqual(
            asked.map((name) => {
              const one = old.get(name);
              return one === undefined ? { from: 'tail' } : startOf(one);
            }),
          );
        },
      ),
    );
  });

  test('stays within its size: 16 bytes a channel, and 1.5 KiB for 100 channels with long names and bodies of many events', () => {
    const entries = Array.from({ length: 100 }, (_, i) => {
      const name = parseChannelName(`${'n'.repeat(197)}${i + 100}`);
      return [name, `${1_795_000_000_000 + i * 1_000_003}-${1_023 - i}` as EventId] as const;
    });
    const cursor = cursorOf(entries) ?? '';
    expect(cursor.length).toBeLessThan(1_536);
    const rest = cursor.slice(cursor.indexOf('~'));
    expect(rest.length / 99).toBeLessThan(16);
  });

  test('tells channels apart whose labels are alike', () => {
    const [one, other] = ALIKE;
    const entries = [
      [one, '1795000000000-1' as EventId],
      [other, '1795000000000-2' as EventId],
      [parseChannelName('third'), '1795000000000-3' as EventId],
    ] as const;
    for (const own of entries.keys()) {
      const starts = parseCursor(
        cursorOf(entries, own) ?? '',
        entries.map(([name]) => name),
      );
      expect(starts).toEqual(entries.map(([, id]) => ({ from: 'id', id })));
    }
  });

  test('gives both a gap when a new channel has the label of one that stays', () => {
    const [one, other] = ALIKE;
    const third = parseChannelName('third');
    const cursor = cursorOf([
      [third, '1795000000000-3' as EventId],
      [one, '1795000000000-1' as EventId],
    ]);
    expect(parseCursor(cursor ?? '', [third, one, other])).toEqual([
      { from: 'id', id: '1795000000000-3' },
      { from: 'unreadable' },
      { from: 'unreadable' },
    ]);
  });

  const [A, B] = [parseChannelName('a'), parseChannelName('b')];
  test.each<[what: string, cursor: string, starts: Start[]]>([
    [
      'a list',
      'a@1-0,b@2-0',
      [
        { from: 'id', id: '1-0' as EventId },
        { from: 'id', id: '2-0' as EventId },
      ],
    ],
    ['a list with one of two', 'b@2-0', [{ from: 'tail' }, { from: 'id', id: '2-0' as EventId }]],
    ['another channel', 'c@2-0', [{ from: 'tail' }, { from: 'tail' }]],
    ['earliest', 'earliest', [{ from: 'earliest' }, { from: 'earliest' }]],
    [
      'one channel with two ids',
      'a@1-0,a@2-0,b@2-0',
      [{ from: 'unreadable' }, { from: 'id', id: '2-0' as EventId }],
    ],
    ['a plain id', '1-0', [{ from: 'unreadable' }, { from: 'unreadable' }]],
  ])('%s', (_what, cursor, starts) => expect(parseCursor(cursor, [A, B])).toEqual(starts));

  test('a plain id is a cursor of one channel', () => {
    expect(parseCursor('1-0', [A])).toEqual([{ from: 'id', id: '1-0' }]);
  });

  test.each([
    'garbage',
    'a@1-0,~abc',
    'a@1-0,~abcdeAAAAAAA',
    'a@1-0,~abcdeAAAAAAAA,b@1-0',
    'a@1-0,~abcde_1-0',
    'a@1-0,~abcde_x.',
    'a@1-0,~abcde-abcde-',
    'a@1-0,~(b',
    'a@1-0,~abcdeAAAAAAA______A',
    '~abcde-',
    'a@1-0,',
    `a@1-0,~${'('.repeat(20_000)}`,
    `a@1-0,~${'abcde_'.repeat(4_000)}`,
  ])('garbage is a gap for all channels: %s', (cursor) => {
    expect(parseCursor(cursor, [A, B])).toEqual([{ from: 'unreadable' }, { from: 'unreadable' }]);
  });

  test('any text is read', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseCursor(`a@1-0,~${text}`, [A, B])).toHaveLength(2);
      }),
    );
  });
});
