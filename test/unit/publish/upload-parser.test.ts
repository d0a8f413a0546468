import { createParser } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import type { NewEvent } from '../../../src/events/event.ts';
import { UploadParser } from '../../../src/publish/upload-parser.ts';
import type { UploadForm } from '../../../src/publish/upload-parser.ts';

const MAX_BYTES = 1_000;

interface Parsed {
  readonly events: readonly NewEvent[];
  readonly fault: BrokerError | undefined;
}

/** Parses chunks as an upload that arrives completely, or that breaks off behind them. */
function parse(
  form: UploadForm,
  chunks: readonly Buffer[],
  { complete = true, maxBytes = MAX_BYTES } = {},
): Parsed {
  const parser = new UploadParser(form, {}, maxBytes);
  const events: NewEvent[] = [];
  const take = (some: readonly NewEvent[]): boolean => {
    events.push(...some);
    return some.length > 0;
  };
  try {
    for (const chunk of chunks) {
      parser.push(chunk);
      while (take(parser.take()));
      parser.refuseFault();
    }
    if (complete) take(parser.takeRest());
    parser.refuseFault();
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error;
    return { events, fault: error };
  }
  return { events, fault: undefined };
}

/** Cuts the bytes at these places, some of which are inside of a character or between CR and LF. */
function cut(text: string | Buffer, places: readonly number[]): Buffer[] {
  const bytes = Buffer.from(text);
  const offsets = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return offsets.slice(1).map((end, i) => bytes.subarray(offsets[i], end));
}

const places = fc.array(fc.nat(500), { maxLength: 20 });
const dataOf = ({ events }: Parsed): string[] => events.map(({ data }) => data);

describe('lines', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '\r', '\ufeff'), maxLength: 6 });

  test('each line is an event, wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.array(line), places, fc.boolean(), (lines, at, endsInLf) => {
        const text = lines.join('\n') + (endsInLf ? '\n' : '');
        const expected = text.split('\n').map((one) => one.replace(/\r$/, ''));
        expect(dataOf(parse('line', cut(text, at)))).toEqual(expected.filter((one) => one !== ''));
      }),
    );
  });

  test('one that has not ended counts only when the upload is complete', () => {
    const chunks = [Buffer.from('a\nb')];
    expect(dataOf(parse('line', chunks))).toEqual(['a', 'b']);
    expect(dataOf(parse('line', chunks, { complete: false }))).toEqual(['a']);
  });

  test.each([
    ['a line that is not UTF-8', Buffer.from('a\nb\n\xff\nc\n', 'latin1'), 'line 3 is not valid UTF-8'],
    ['a line that ends inside of a character', Buffer.from('a\nb\n\xc3\n\xa9\n', 'latin1'), 'line 3'],
    ['a character that is not complete at the end', Buffer.from('a\nb\n\xe2\x82', 'latin1'), 'line 3'],
    ['NUL', Buffer.from('a\nb\nc\0\nd\n'), 'line 3 holds NUL'],
    ['a line that is too long', Buffer.from(`a\nb\n${'x'.repeat(1_001)}\n`), 'more than 1000 bytes'],
    ['a long line without an end', Buffer.from(`a\nb\n${'x'.repeat(1_002)}`), 'more than 1000 bytes'],
    ['CRs that make too many lines', Buffer.from(`a\nb\n${'\rx'.repeat(200)}\n`), 'delivered form'],
  ])('the events before %s are found, and the fault', (_what, bytes, words) => {
    const { events, fault } = parse('line', [bytes]);
    expect(events.map(({ data }) => data)).toEqual(['a', 'b']);
    expect(fault?.message).toContain(words);
  });

  test('a line may have the largest size, with CRLF behind it, in chunks of one byte', () => {
    const text = 'x'.repeat(MAX_BYTES);
    expect(
      dataOf(
        parse(
          'line',
          cut(
            `${text}\r\n`,
            Array.from({ length: MAX_BYTES + 2 }, (_, i) => i),
          ),
        ),
      ),
    ).toEqual([text]);
  });

  test('a page has at most 256 events and 1 MiB of data, or one larger event', () => {
    const parser = new UploadParser('line', {}, 3 * 1024 ** 2);
    const large = 'x'.repeat(2 * 1024 ** 2);
    const half = 'y'.repeat(600 * 1024);
    parser.push(Buffer.from(`${'a\n'.repeat(300)}${half}\n${half}\n${large}\nb\n`));
    const sizes: number[] = [];
    for (let page = parser.take(); page.length > 0; page = parser.take()) sizes.push(page.length);
    expect(sizes).toEqual([256, 45, 1, 1, 1]);
  });
});

describe('events', () => {
  const field = fc.oneof(
    fc.constantFrom(
      '',
      ':',
      ': comment',
      'data',
      'data:',
      'data: ',
      'data:  x',
      'event: tok',
      'event:',
      'event',
    ),
    fc.constantFrom('id: 7', 'retry: 10', 'datax: 1', ' data: 1', 'data :1', 'data:é', 'data: 😀', 'event:ü'),
    fc.string({ unit: fc.constantFrom('d', 'a', 't', ':', ' ', 'é', '\ufeff'), maxLength: 5 }),
  );
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r');

  test('are those that another parser finds, wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(field, lineEnd)), fc.boolean(), places, (lines, bom, at) => {
        const text = (bom ? '\ufeff' : '') + lines.map((one) => one.join('')).join('');
        const expected: NewEvent[] = [];
        const other = createParser({
          onEvent: ({ event, data }) => expected.push({ type: event, data }),
        });
        // That parser waits for what follows a CR at the end, and removes the mark in front only when bytes follow it.
        other.feed(`${text.replace(/^\ufeff/, '')}: end\n`);
        expect(parse('event', cut(text, at)).events).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test('of another Sluice about its own stream are dropped', () => {
    const text = 'event: sluice:ready\ndata: {}\n\nevent: a\ndata: 1\n\nevent: sluice:closing\ndata: {}\n\n';
    expect(parse('event', [Buffer.from(text)]).events).toEqual([{ type: 'a', data: '1' }]);
  });

  test('that have no blank line behind them are dropped', () => {
    expect(dataOf(parse('event', [Buffer.from('data: 1\n\ndata: 2\n')]))).toEqual(['1']);
  });

  test.each([
    [
      'a type with a control character',
      'data: 1\n\nevent: a\tb\ndata: 2\n\n',
      'must not hold control characters',
    ],
    ['a type that is too long', `data: 1\n\nevent: ${'a'.repeat(201)}\ndata: 2\n\n`, '1 to 200 characters'],
    ['a comment with NUL', 'data: 1\n\n: \0\n\n', 'holds NUL'],
    ['data that are too large', `data: 1\n\n${`data: ${'x'.repeat(400)}\n`.repeat(3)}\n`, 'delivered form'],
    ['too many empty lines of data', `data: 1\n\n${'data\n'.repeat(200)}\n`, 'delivered form'],
  ])('the events before %s are found, and the fault', (_what, text, words) => {
    const parsed = parse('event', [Buffer.from(text)]);
    expect(dataOf(parsed)).toEqual(['1']);
    expect(parsed.fault?.message).toContain(words);
  });
});
