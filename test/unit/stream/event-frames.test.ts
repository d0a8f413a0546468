import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EventRun } from '../../../src/events/event-run.ts';
import { ORIGIN } from '../../../src/events/event.ts';
import type { EventId, NewEvent, StoredEvent } from '../../../src/events/event.ts';
import { countWithin, encodeRecord, sentLength } from '../../../src/events/record.ts';
import { EVENT_FRAMES } from '../../../src/stream/event-frames.ts';
import { asChunk } from '../../../src/stream/shared-bytes.ts';

function runOf(...events: readonly NewEvent[]): EventRun {
  const stored = events.map((event, i): StoredEvent => ({
    id: `${i + 1}-0` as EventId,
    prev: `${i}-0` as EventId,
    record: Buffer.from(encodeRecord(event)),
  }));
  return new EventRun(ORIGIN, stored);
}

function wireOf(run: EventRun): string {
  return run.as(EVENT_FRAMES).plain.toString();
}

function read(wire: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => expect(comment).toBe('not there'),
    onRetry: (ms) => expect(ms).toBe('not there'),
    onError: (error) => {
      throw error;
    },
  });
  parser.feed(wire);
  return events;
}

const text = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.constantFrom('\r', '\n', '\r\n', ':', ' ', '\ufeff'),
  ),
});
const type = fc.option(
  text.map((one) => one.replaceAll(/[\r\n\0]/g, '') || 'type'),
  { nil: undefined },
);
const event = fc.record({ type, data: text });

describe('an event', () => {
  test.each<readonly [string, string | undefined, string, string]>([
    ['data alone', undefined, 'a', 'data: a\n\n'],
    ['a type first', 'created', 'a', 'event: created\ndata: a\n\n'],
    ['empty data', undefined, '', 'data: \n\n'],
    ['CRLF, CR and LF', undefined, 'a\r\nb\rc\nd', 'data: a\ndata: b\ndata: c\ndata: d\n\n'],
    ['LF CR, which are two', undefined, 'a\n\rb', 'data: a\ndata: \ndata: b\n\n'],
    ['a line break at the end', undefined, 'a\n', 'data: a\ndata: \n\n'],
    ['CR at the end', undefined, 'a\r', 'data: a\ndata: \n\n'],
    ['a line break alone', undefined, '\r\n', 'data: \ndata: \n\n'],
    [
      'characters at which other languages break lines',
      undefined,
      'a\u2028b\u0085c\u000bd\fe',
      'data: a\u2028b\u0085c\u000bd\fe\n\n',
    ],
    ...[31, 32, 33, 5_000].map((length) => {
      const line = 'é'.repeat(length / 2).padEnd(length - Math.floor(length / 2), 'x');
      const wire = `data: ${line}\ndata: ${line}\ndata: \ndata: ${line}\ndata: ${line}\n\n`;
      return [`lines of ${length} bytes`, undefined, `${line}\r\n${line}\n\n${line}\r${line}`, wire] as const;
    }),
    ['text that a replacement could take for a pattern', undefined, '$&\n$1', 'data: $&\ndata: $1\n\n'],
    ['text beyond ASCII', 'créé', '☃ 𝄞', 'event: créé\ndata: ☃ 𝄞\n\n'],
  ])('with %s', (_what, ofType, data, wire) => {
    expect(wireOf(runOf({ type: ofType, data }))).toBe(`id: 1-0\n${wire}`);
  });

  test('is parsed as one event, with its lines joined by LF, for any data', () => {
    fc.assert(
      fc.property(event, event, (one, other) => {
        const expected = [one, other].map((given, i) => ({
          id: `${i + 1}-0`,
          event: given.type,
          data: given.data.replaceAll(/\r\n?/g, '\n'),
        }));
        expect(read(wireOf(runOf(one, other)))).toEqual(expected);
      }),
    );
  });

  test('never contains a CR', () => {
    fc.assert(fc.property(event, (one) => !wireOf(runOf(one)).includes('\r')));
  });

  test('from a record of version 0 is sent as it is, after its id', () => {
    const record = Buffer.from('0event: créé\ndata: a\ndata: b\n\n');
    const run = new EventRun(ORIGIN, [{ id: '7-1' as EventId, prev: ORIGIN, record }]);
    expect(wireOf(run)).toBe('id: 7-1\nevent: créé\ndata: a\ndata: b\n\n');
  });
});

describe('a run', () => {
  const events = fc.array(event, { minLength: 1, maxLength: 20 });

  test('has the same bytes plain and as a chunk, in the same memory', () => {
    fc.assert(
      fc.property(events, (given) => {
        const { plain, chunk } = runOf(...given).as(EVENT_FRAMES);
        expect(chunk?.equals(Buffer.from(asChunk(plain.toString())))).toBe(true);
        expect(chunk?.buffer).toBe(plain.buffer);
      }),
    );
  });

  test('is as long as its events were said to be, and is cut where a limit is reached', () => {
    fc.assert(
      fc.property(events, fc.nat(400), (given, limit) => {
        const run = runOf(...given);
        const lengths = run.events.map((one) => sentLength(one));
        const total = lengths.reduce((a, b) => a + b, 0);
        expect(run.as(EVENT_FRAMES).plain).toHaveLength(total);
        const count = countWithin(run.events, limit);
        const within = lengths.slice(0, count).reduce((a, b) => a + b, 0);
        if (count > 1) expect(within).toBeLessThanOrEqual(limit);
        if (count < given.length) expect(within + (lengths[count] as number)).toBeGreaterThan(limit);
      }),
    );
  });

  test('is encoded once for all subscribers, and its end is a part of the same memory', () => {
    fc.assert(
      fc.property(events, fc.nat(), fc.nat(), (given, some, more) => {
        const run = runOf(...given);
        const first = some % (given.length + 1);
        const end = run.without(first);
        const second = more % (given.length - first + 1);
        const whole = run.as(EVENT_FRAMES);
        expect(run.as(EVENT_FRAMES)).toBe(whole);
        for (const [part, skipped] of [
          [end, first],
          [end.without(second), first + second],
        ] as const) {
          const { plain } = part.as(EVENT_FRAMES);
          expect(plain.buffer).toBe(whole.plain.buffer);
          expect(read(plain.toString())).toEqual(read(whole.plain.toString()).slice(skipped));
          expect([part.from, part.to]).toEqual([`${skipped}-0`, run.to]);
        }
      }),
    );
  });
});
