import { describe, expect, test } from 'vitest';
import { compareEventIds, eventTime, parseEventId } from '../../../src/events/event.ts';
import type { EventId } from '../../../src/events/event.ts';
import { encodeRecord, recordHead, recordLength } from '../../../src/events/record.ts';
import { TextEvent } from '../../../src/events/text-event.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { EVENT_FRAMES, soleText } from '../../../src/stream/event-frames.ts';

const ids = (texts: readonly string[]): EventId[] => texts as EventId[];

test('only canonical ids of two 64-bit numbers are read', () => {
  const right = ['0-0', '1-0', '10-10', '1795847041902-3', '18446744073709551615-18446744073709551615'];
  for (const id of right) expect(parseEventId(id)).toBe(id);
  const wrong = [
    '',
    '-',
    '1',
    '1-',
    '-1',
    '01-1',
    '1-01',
    '00-0',
    '0-00',
    '1--1',
    '1-1-1',
    '1-a',
    'a-1',
    ' 1-1',
  ];
  for (const text of [...wrong, '18446744073709551616-0']) expect(parseEventId(text)).toBeUndefined();
});

test('ids are in the order of their numbers, and an id tells its time', () => {
  const sorted = ids([
    '0-0',
    '0-9',
    '0-10',
    '9-9',
    '10-0',
    '10-2',
    '10-10',
    '1795847041902-0',
    '1795847041902-1',
  ]);
  for (const [i, a] of sorted.entries())
    for (const [j, b] of sorted.entries()) expect(Math.sign(compareEventIds(a, b))).toBe(Math.sign(i - j));
  expect(ids(['0-0', '10-2', '1795847041902-17']).map(eventTime)).toEqual([0, 10, 1_795_847_041_902]);
});

describe.each([
  ['text', { data: 'hello' }],
  ['another alphabet', { type: 'ночь', data: 'жук ☃ 𝄞' }],
  ['Latin-1', { data: 'café' }],
  ['several lines', { type: 'poem', data: 'one\r\ntwo\nthree\rfour' }],
  ['a key', { key: 'k', data: '{"a":1}' }],
])('an event kept as text: %s,', (_what, event) => {
  const record = Buffer.from(encodeRecord(event));
  const head = recordHead(event);
  const { type, data } = { type: undefined, ...event };
  const of = { id: '5-1' as EventId, prev: '5-0' as EventId };
  const text = new TextEvent(of.id, of.prev, { type, head, data, bytes: record.length });
  const stored = { ...of, record };

  test('has the same record', () => {
    expect(text.record).toEqual(record);
    expect(recordLength(text)).toBe(record.length);
  });

  test('is sent as the same bytes, to one reader and to many', () => {
    const { plain, chunk } = new EventRun(of.prev, [stored]).as(EVENT_FRAMES);
    const run = new EventRun(of.prev, [text]);
    expect(run.as(EVENT_FRAMES).plain).toEqual(plain);
    expect(run.as(EVENT_FRAMES).chunk).toEqual(chunk);
    const sole = soleText(run);
    // Only a text of ASCII in one line has one character for each byte.
    if (sole === undefined) expect(data + (type ?? '')).toMatch(/[\r\n]|\P{ASCII}/u);
    else expect(Buffer.from(sole, 'latin1')).toEqual(plain);
  });
});
