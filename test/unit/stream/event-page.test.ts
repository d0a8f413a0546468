import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId, NewEvent, StoredEvent } from '../../../src/events/event.ts';
import { encodeRecord } from '../../../src/events/record.ts';
import { EventPage } from '../../../src/stream/event-page.ts';
import type { JsonPage } from '../../support/changing-reader.ts';

const NEWS = parseChannelName('news');

function storedOf(records: readonly string[]): StoredEvent[] {
  return records.map((record, i) => ({
    id: `${i + 1}-0` as EventId,
    prev: `${i}-0` as EventId,
    record: Buffer.from(record),
  }));
}

const runOf = (events: readonly NewEvent[]): EventRun =>
  new EventRun(ORIGIN, storedOf(events.map((event) => encodeRecord(event))));

function read(page: EventPage): JsonPage['events'] {
  const body = page.body(NEWS, { next: ORIGIN, complete: true, ended: false });
  return (JSON.parse(Buffer.concat(body.map((part) => Buffer.from(part))).toString()) as JsonPage).events;
}

/** The parts of a page that may be shared. */
function buffers(page: EventPage): Buffer[] {
  const body = page.body(NEWS, { next: ORIGIN, complete: true, ended: false });
  return body.filter((part) => typeof part !== 'string');
}

/** JSON has no members that are undefined. */
const pruned = (value: object): unknown => JSON.parse(JSON.stringify(value));

const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('\n', '\r', '"', '\\', '\u0001'),
    fc.constant('é'),
    fc.constant('\u{1f600}'),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
});
const anyEvent = fc.record(
  { type: fc.constantFrom('created', 'größe'), key: fc.constantFrom('k', '"'), data: text },
  { requiredKeys: ['data'] },
);

test('a page reads back as the events, whatever runs it is made of', () => {
  fc.assert(
    fc.property(
      fc.array(anyEvent, { minLength: 1, maxLength: 20 }),
      fc.nat(20),
      fc.nat(20),
      (events, skipped, limit) => {
        const run = runOf(events).without(Math.min(skipped, events.length - 1));
        const page = new EventPage(Math.max(1, limit));
        const count = page.add(run);
        expect(count).toBe(Math.min(Math.max(1, limit), run.events.length));
        const from = events.length - run.events.length;
        const expected = events.slice(from, from + count);
        expect(read(page)).toEqual(
          expected.map(({ type: event, key, data }, i) =>
            pruned({ id: `${from + i + 1}-0`, event, data, key }),
          ),
        );
      },
    ),
  );
});

test('pages of one run share its bytes, also pages of its first or last events', () => {
  const run = runOf(Array.from({ length: 10 }, (_, i) => ({ data: String(i) })));
  const pages = [
    [run, 100],
    [run, 3],
    [run.without(4), 100],
  ] as const;
  const memory = pages.map(([part, limit]) => {
    const page = new EventPage(limit);
    page.add(part);
    return buffers(page).map(({ buffer }) => buffer);
  });
  expect(memory.flat()).toHaveLength(3);
  expect(new Set(memory.flat()).size).toBe(1);
});

test('an event of the release before is read from its fields', () => {
  const page = new EventPage(10);
  page.add(new EventRun(ORIGIN, storedOf(['0event: created\ndata: one\ndata: two\n\n', '0data: \n\n'])));
  expect(read(page)).toEqual([
    { id: '1-0', event: 'created', data: 'one\ntwo' },
    { id: '2-0', data: '' },
  ]);
});
