import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import { startPositions } from '../../../src/routes/start-position.ts';
import type { Query } from '../../../src/routes/start-position.ts';

const channel = parseChannelName('news');

describe('the start position is read', () => {
  test.each<[what: string, header: string | string[] | undefined, query: Query, start: object]>([
    ['nothing', undefined, {}, { from: 'tail' }],
    ['an id', '7-1', {}, { from: 'id', id: '7-1' }],
    ['the largest id', '18446744073709551615-18446744073709551615', {}, { from: 'id' }],
    ['earliest', 'earliest', {}, { from: 'earliest' }],
    ['an empty header', '', {}, { from: 'tail' }],
    ['an empty header and a query', '', { last_event_id: '7-1' }, { from: 'id', id: '7-1' }],
    ['the header twice', ['7-1', '7-1'], {}, { from: 'unreadable' }],
    ['the query twice', undefined, { lastEventId: ['7-1', '7-1'] }, { from: 'unreadable' }],
    ['the one query', undefined, { last_event_id: '7-1' }, { from: 'id', id: '7-1' }],
    ['the other query', undefined, { lastEventId: '7-1' }, { from: 'id', id: '7-1' }],
    ['both queries', undefined, { lastEventId: '8-0', last_event_id: '7-1' }, { from: 'id', id: '7-1' }],
    ['header and query', '7-1', { last_event_id: '8-0', last: '5' }, { from: 'id', id: '7-1' }],
    ['the own part of a list', 'other@9-0,news@7-1', {}, { from: 'id', id: '7-1' }],
    ['a list without an own part', 'other@9-0', {}, { from: 'tail' }],
    ['a number of events', undefined, { last: '10' }, { from: 'last', count: 10 }],
    [
      'a number too large to be served',
      undefined,
      { last: '9999999999' },
      { from: 'last', count: 1_000_000 },
    ],
    ['epoch ms', undefined, { since: '1700000000000' }, { from: 'time', ms: 1_700_000_000_000 }],
    ['a time', undefined, { since: '2023-11-14T22:13:20Z' }, { from: 'time', ms: 1_700_000_000_000 }],
    [
      'a time in a zone',
      undefined,
      { since: '2023-11-15T03:43:20+05:30' },
      { from: 'time', ms: 1_700_000_000_000 },
    ],
    [
      'a plus that became a blank',
      undefined,
      { since: '2023-11-15T03:43:20 05:30' },
      { from: 'time', ms: 1_700_000_000_000 },
    ],
    [
      'a fraction of a second',
      undefined,
      { since: '2023-11-14T22:13:20.5Z' },
      { from: 'time', ms: 1_700_000_000_500 },
    ],
    ['the state', undefined, { state: '' }, { from: 'state' }],
    ['the state and earliest', 'earliest', { state: '' }, { from: 'state' }],
    ['the state and a list without an own part', 'other@9-0', { state: '' }, { from: 'state' }],
    ['the state and an id', '7-1', { state: '' }, { from: 'id', id: '7-1', state: true }],
    ['the state and garbage', 'x', { state: '' }, { from: 'unreadable', state: true }],
    ['a last that is not looked at', '7-1', { last: 'x', since: 'y' }, { from: 'id', id: '7-1' }],
  ])('%s', (_what, header, query, start) => {
    expect(startPositions(header, query, [channel])[0]).toMatchObject(start);
  });
});

test('a time is read back as the time it was written from', () => {
  const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
  fc.assert(
    fc.property(date, (time) => {
      expect(startPositions(undefined, { since: time.toISOString() }, [channel])[0]).toEqual({
        from: 'time',
        ms: time.getTime(),
      });
    }),
  );
});

const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[0-9@,$*+-]{0,30}$/),
  fc.stringMatching(/^(?:news@)?\d{1,22}-\d{1,22}$/),
);

test('any cursor is accepted, from any place', () => {
  const cursor = fc.option(fc.oneof(anything, fc.array(anything)), { nil: undefined });
  fc.assert(
    fc.property(cursor, cursor, cursor, (header, last_event_id, lastEventId) => {
      const start = startPositions(header, { last_event_id, lastEventId }, [channel])[0];
      expect(['tail', 'id', 'earliest', 'unreadable']).toContain(start?.from);
    }),
  );
});

test('last and since are either read or refused', () => {
  fc.assert(
    fc.property(fc.constantFrom('last', 'since'), fc.oneof(anything, fc.array(anything)), (name, value) => {
      try {
        expect(['last', 'time']).toContain(startPositions(undefined, { [name]: value }, [channel])[0]?.from);
      } catch (error) {
        expect(error).toBeInstanceOf(BrokerError);
        expect((error as BrokerError).code).toBe('invalid-query');
      }
    }),
  );
});
