import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokerError } from '../../../src/events/errors.ts';
import { PublicationListReader } from '../../../src/publish/publication-list.ts';
import type { ListForm, PublicationList } from '../../../src/publish/publication-list.ts';

const MAX_BYTES = 1024 ** 2;

/** Reads a body in one slice, or in as many as possible. */
function read(body: string | Buffer, form: ListForm = 'list', until = Infinity): PublicationList {
  const reader = new PublicationListReader(Buffer.from(body), form, MAX_BYTES);
  for (;;) {
    const list = reader.readUntil(until);
    if (list !== undefined) return list;
  }
}

function refusal(body: string | Buffer, form: ListForm = 'list'): BrokerError {
  try {
    read(body, form);
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
  return expect.unreachable();
}

/** The publications of a list, in the order of the body. */
function publicationsOf({ items }: PublicationList): unknown[] {
  return items.map(({ of, index }) => ({ channel: of.channel, ...of.events[index] }));
}

const channel = fc.constantFrom('a', 'b', 'c.d');
const type = fc.constantFrom(undefined, 'created', 'ä');
const publication = fc.record({ channel, event: type, data: fc.jsonValue({ maxDepth: 3 }) });

function delivered({
  channel: name,
  event,
  data,
}: {
  channel: string;
  event: unknown;
  data: unknown;
}): object {
  return { channel: name, type: event, data: typeof data === 'string' ? data : JSON.stringify(data) };
}

describe('the events of a body are those that JSON.parse finds, in their order', () => {
  const withoutNul = publication.filter(({ data }) => typeof data !== 'string' || !data.includes('\0'));

  test('in a list, with blanks and without', () => {
    fc.assert(
      fc.property(fc.array(withoutNul, { minLength: 1 }), fc.constantFrom(0, 1, '\t'), (all, space) => {
        const list = read(JSON.stringify(all, undefined, space));
        expect(publicationsOf(list)).toEqual(all.map(delivered));
      }),
    );
  });

  test('in lines, with empty lines and any line ends', () => {
    const end = fc.constantFrom('\n', '\r\n', '\n\n', '\n \n');
    fc.assert(
      fc.property(fc.array(fc.tuple(withoutNul, end), { minLength: 1 }), fc.boolean(), (all, whole) => {
        const text = all.map(([one, lineEnd]) => JSON.stringify(one) + lineEnd).join('');
        const list = read(whole ? text : text.trimEnd(), 'lines');
        expect(publicationsOf(list)).toEqual(all.map(([one]) => delivered(one)));
      }),
    );
  });
});

test('any change of a list is refused exactly when it is no list of publications', () => {
  const body = '[{"channel":"a","data":[1.50,"x"]},{"channel":"b","event":"e","data":"\\u00e9"}]';
  const characters = ['', ' ', '"', '[', ']', '{', '}', ',', ':', '\\', '0', 'a', 'é', '\n'];
  fc.assert(
    fc.property(
      fc.nat(body.length),
      fc.constantFrom(...characters),
      fc.boolean(),
      (at, character, insert) => {
        const text = body.slice(0, at) + character + body.slice(insert ? at : at + 1);
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          expect(refusal(text).code).toBe('invalid-body');
          return;
        }
        try {
          const { items } = read(text);
          expect(items).toHaveLength((expected as unknown[]).length);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^invalid-/) as string });
        }
      },
    ),
    { numRuns: 3_000 },
  );
});

test('a body that is read in slices gives the same list', () => {
  const body = JSON.stringify(Array.from({ length: 2_000 }, (_, i) => ({ channel: `c${i % 7}`, data: i })));
  expect(read(body, 'list', 0)).toEqual(read(body));
});

const listOf = (...all: readonly string[]): string => `[${all.join(',')}]`;

describe('faults', () => {
  const good = '{"channel":"a","data":"x"}';

  test.each([
    [
      'a fault in the 700th event',
      listOf(...Array<string>(699).fill(good), '{"channel":"a","event":"","data":1}', good),
      '/699/event',
    ],
    ['an event that is no object', listOf(good, '7'), '/1'],
    ['an unknown field', listOf('{"channel":"a","data":1,"colour":1}'), '/0/colour'],
    ['no channel', listOf(good, '{"data":1}'), '/1/channel'],
    ['a list of channels', listOf('{"channels":["a"],"data":1}'), '/0/channels'],
    ['JSON that breaks off inside of an event', `[${good},{"channel":"a"`, '/1'],
    ['JSON that breaks off between events', `[${good}`, ''],
    ['two lists', `[${good}][${good}]`, ''],
    ['an empty list', '[ ]', ''],
    ['NUL', listOf(good, '{"channel":"a","data":"\\u0000"}'), '/1/data'],
    ['half of a surrogate pair', listOf('{"channel":"a","data":"\\ud800"}'), '/0'],
    ['an event behind the close of its channel', listOf('{"channel":"a","data":1,"close":true}', good), '/1'],
    ['a second close', listOf('{"channel":"a","close":true}', '{"channel":"a","close":true}'), '/1'],
    [
      'a condition behind the first event',
      listOf(good, '{"channel":"a","data":1,"ifLast":"1-0"}'),
      '/1/ifLast',
    ],
    ['a condition that is no id', listOf('{"channel":"a","data":1,"ifLast":"1"}'), '/0/ifLast'],
    ['nesting', listOf(good, `{"channel":"a","data":${'['.repeat(300)}${']'.repeat(300)}}`), '/1'],
  ])('%s', (_what, body, pointer) => {
    const { code, faults } = refusal(body);
    expect([code, faults[0]?.pointer]).toEqual(['invalid-body', pointer]);
  });

  test('the name of a channel', () => {
    expect(refusal(listOf(good, '{"channel":"a b","data":1}'))).toMatchObject({
      code: 'invalid-channel',
      message: expect.stringContaining('Event 1:') as string,
      faults: [{ pointer: '/1/channel' }],
    });
  });

  test('in lines, the detail has the number of the line, and the pointer counts events', () => {
    const { faults } = refusal(`${good}\n\n\n{"channel":"a"}\n`, 'lines');
    expect(faults).toEqual([{ pointer: '/1/data', detail: 'is required (line 4)' }]);
  });

  test.each([
    ['two objects in a line', `${good}${good}`],
    ['an object over two lines', '{"channel":"a",\n"data":1}'],
    ['a list', listOf(good)],
    ['nothing', '\n \r\n'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('in lines, %s', (_what, body) => {
    expect(refusal(body, 'lines').code).toBe('invalid-body');
  });

  test('at most 20 are listed, and the rest is not read', () => {
    const { faults, message } = refusal(listOf(...Array<string>(10_000).fill('{}')));
    expect(faults).toHaveLength(20);
    expect(message).toMatch(/the first 20 faults are listed, and there may be more\.$/);
  });

  test('10,000 events are read, and 10,001 are too many', () => {
    const many = Array<string>(10_000).fill('{"channel":"a","data":1}');
    expect(read(listOf(...many)).items).toHaveLength(10_000);
    expect(refusal(listOf(...many, good))).toMatchObject({
      code: 'body-too-large',
      message: expect.stringContaining('more than 10000 events') as string,
    });
    expect(refusal([...many, good].join('\n'), 'lines').code).toBe('body-too-large');
  });
});

test('an end without data belongs to the event before it', () => {
  const list = read('[{"channel":"a","data":1},{"channel":"b","close":true},{"channel":"a","close":true}]');
  expect(list.channels).toEqual([
    { channel: 'a', events: [{ data: '1' }], end: true, ifLast: undefined },
    { channel: 'b', events: [], end: true, ifLast: undefined },
  ]);
  expect(list.items.map(({ of, index }) => [of.channel, index])).toEqual([
    ['a', 0],
    ['b', 0],
    ['a', 0],
  ]);
});
