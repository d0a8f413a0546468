import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { BrokerError } from '../../../src/events/errors.ts';
import { fits, parsePublication, parseRawPublication } from '../../../src/publish/publication.ts';
import type { Publication } from '../../../src/publish/publication.ts';
import { PublicationScanner } from '../../../src/publish/publication-scanner.ts';

const channel = parseChannelName('news');
const MAX_BYTES = 1024 ** 2;

/** Reads a body in both ways. The scanner is faster, and says the same. */
function read(body: Buffer | string): Publication {
  const bytes = Buffer.from(body);
  const scanned = resultOf(() => new PublicationScanner(MAX_BYTES).readBody(bytes));
  const parsed = resultOf(() => parsePublication(bytes, MAX_BYTES));
  if (scanned instanceof BrokerError) {
    expect(parsed).toMatchObject({ code: scanned.code });
    throw scanned;
  }
  expect(scanned).toEqual(parsed);
  if (scanned.channels !== undefined) throw new Error('a publication to several channels');
  return scanned;
}

function resultOf<T>(attempt: () => T): T | BrokerError {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
}

const readRaw = (type: string | undefined, body: Buffer | undefined): Publication =>
  parseRawPublication(channel, { type, bytes: body }, MAX_BYTES);

function publish(publication: object): Publication {
  return read(JSON.stringify(publication));
}

/** The code of the expected BrokerError. Any other error is a fault of the reader, and is thrown. */
function codeOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (error instanceof BrokerError) return error.code;
    throw error;
  }
}

const withoutNul = (text: string): boolean => !text.includes('\0');
/** Characters of every plane, most often those that could break a line format. */
const text = fc
  .string({
    unit: fc.oneof(
      fc.constantFrom('\r', '\n', '\r\n', ':', ' ', '"', '\\', '\u2028', '\ufeff', 'data: '),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
  })
  .filter(withoutNul);
const type = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((one) => !/\p{Cc}/u.test(one) && !one.startsWith('sluice:'));

describe('the log gets what was published', () => {
  test('a string', () => {
    fc.assert(
      fc.property(text, fc.option(type, { nil: undefined }), (data, event) => {
        expect(publish({ channel, event, data })).toEqual({
          channel,
          event: { type: event, data },
          end: false,
        });
      }),
    );
  });

  test('the bytes of a raw body', () => {
    fc.assert(
      fc.property(text, fc.option(type, { nil: undefined }), (data, event) => {
        expect(readRaw(event, Buffer.from(data))).toEqual({
          channel,
          event: { type: event, data },
          end: false,
        });
      }),
    );
  });

  test('any other JSON value, as JSON on one line', () => {
    const value = fc
      .jsonValue({ stringUnit: 'grapheme', maxDepth: 6 })
      .filter((one) => typeof one !== 'string');
    fc.assert(
      fc.property(value, (data) => {
        expect(publish({ channel, data }).event?.data).toBe(JSON.stringify(data));
      }),
    );
  });

  test('a number with all its digits', () => {
    const digits = fc.stringMatching(/^-?(?:0|[1-9]\d{0,40})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,2})?$/);
    fc.assert(
      fc.property(digits, (number) => {
        const body = Buffer.from(`{"channel":"news","data":[${number}]}`);
        expect(read(body).event?.data).toBe(`[${number}]`);
      }),
    );
  });

  test('the channel', () => {
    expect(publish({ channel: 'orders.42', data: 1 }).channel).toBe('orders.42');
    expect(readRaw(undefined, undefined).channel).toBe('news');
  });
});

describe('reading ends in a publication or in a BrokerError, for', () => {
  const codes = [undefined, 'invalid-body', 'invalid-channel', 'invalid-event'];

  test('any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(codeOf(() => read(Buffer.from(bytes)))).toBe('invalid-body');
        expect(codes).toContain(codeOf(() => readRaw(undefined, Buffer.from(bytes))));
      }),
    );
  });

  test('any JSON', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), (body) => {
        expect(codeOf(() => read(body))).toBe('invalid-body');
      }),
    );
  });

  test('any values in the known fields', () => {
    const value = fc.option(fc.jsonValue({ stringUnit: 'binary' }), { nil: undefined });
    const record = fc.record({
      channel: fc.oneof(value, fc.constant('news')),
      event: value,
      data: value,
      key: fc.oneof(value, fc.constant('k')),
      delete: fc.oneof(value, fc.boolean()),
      close: fc.option(fc.boolean(), { nil: undefined }),
    });
    fc.assert(
      fc.property(record, (publication) => {
        expect(codes).toContain(codeOf(() => publish(publication)));
      }),
    );
  });

  test('any bytes in the data of a publication', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        const body = Buffer.concat([
          Buffer.from('{"channel":"news","data":"'),
          Buffer.from(bytes),
          Buffer.from('"}'),
        ]);
        expect(codes).toContain(codeOf(() => read(body)));
      }),
    );
  });

  test('any nesting', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20_000 }), fc.boolean(), (depth, long) => {
        const number = long ? '12345678901234567890' : '1';
        const body = `{"channel":"news","data":${'['.repeat(depth)}${number}${']'.repeat(depth)}}`;
        const code = codeOf(() => read(body));
        expect(code).toBe(depth > 200 ? 'invalid-body' : undefined);
      }),
    );
  });
});

test('bytes are accepted exactly when they are UTF-8 without NUL', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const isText = (bytes: Uint8Array): boolean => {
    try {
      return withoutNul(strict.decode(bytes));
    } catch {
      return false;
    }
  };
  const bytes = fc.array(
    fc.oneof(
      fc.constantFrom(
        0x00,
        0x61,
        0x80,
        0xbf,
        0xc0,
        0xc3,
        0xe2,
        0x82,
        0xac,
        0xed,
        0xa0,
        0xef,
        0xbf,
        0xbd,
        0xf0,
        0x9f,
        0xf4,
        0xff,
      ),
    ),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(bytes, (list) => {
      const body = Buffer.from(list);
      expect(codeOf(() => readRaw(undefined, body)) === undefined).toBe(isText(body));
    }),
    { numRuns: 2_000 },
  );
});

test('every fault has a pointer, and is listed once', () => {
  try {
    publish({ channel: 7, event: '', colour: 'red' });
    expect.unreachable();
  } catch (error) {
    const { faults, message } = error as BrokerError;
    expect(faults.map(({ pointer }) => pointer).toSorted()).toEqual([
      '/channel',
      '/colour',
      '/data',
      '/event',
    ]);
    expect(message).toMatch(/\.$/);
  }
});

describe('a key', () => {
  test.each([
    ['of one character', { data: 1, key: '!' }, { key: '!', data: '1' }],
    ['of 200 characters', { data: '', key: '~'.repeat(200) }, { key: '~'.repeat(200), data: '' }],
    ['beside a type', { data: '', event: 'a', key: 'k' }, { type: 'a', key: 'k', data: '' }],
    ['that is not deleted', { data: '', key: 'k', delete: false }, { key: 'k', data: '' }],
    [
      'that is deleted',
      { key: '"', delete: true },
      { type: 'sluice:deleted', key: '"', data: String.raw`{"channel":"news","key":"\""}` },
    ],
  ])('%s', (_what, fields, event) => {
    expect(publish({ channel, ...fields })).toEqual({ channel, event, end: false });
  });

  test.each([
    ['is empty', { data: '', key: '' }, ['/key']],
    ['has 201 characters', { data: '', key: 'k'.repeat(201) }, ['/key']],
    ['has a line break', { data: '', key: 'a\nb' }, ['/key']],
    ['has a blank', { data: '', key: 'a b' }, ['/key']],
    ['has a character beyond ASCII', { data: '', key: 'é' }, ['/key']],
    ['is no text', { data: '', key: 7 }, ['/key']],
    ['has no data', { key: 'k' }, ['/data']],
    ['has no data at the end of the channel', { key: 'k', close: true }, ['/data']],
    ['is missing where it is deleted', { delete: true }, ['/key']],
    ['is deleted with data', { data: '', key: 'k', delete: true }, ['/delete']],
    ['is deleted with a type', { event: 'a', key: 'k', delete: true }, ['/delete']],
    ['is deleted by a text', { key: 'k', delete: 'yes' }, ['/data', '/delete']],
  ])('is refused when it %s', (_what, fields, pointers) => {
    const error = resultOf(() => publish({ channel, ...fields }));
    expect((error as BrokerError).faults.map(({ pointer }) => pointer)).toEqual(pointers);
  });

  test('may be deleted with the last event of the channel, and in several channels', () => {
    expect(publish({ channel, key: 'k', delete: true, close: true }).end).toBe(true);
    const body = Buffer.from('{"channels":["a","b"],"key":"k","delete":true}');
    expect(parsePublication(body, MAX_BYTES)).toEqual({
      channels: ['a', 'b'],
      deletedKey: 'k',
      end: false,
    });
  });
});

test('whether data fit into a limit as delivered is known without encoding them', () => {
  const unit = fc.oneof(
    fc.constantFrom('\r', '\n', '\r\n', 'é', '😀'),
    fc.string({ minLength: 1, maxLength: 1 }),
  );
  fc.assert(
    fc.property(fc.string({ unit }), (data) => {
      const delivered = data.split(/\r\n|\r|\n/).join('\ndata: ');
      const bytes = Buffer.byteLength(delivered);
      const limits = [0, bytes - 1, bytes, bytes + 1, bytes * 10];
      expect(limits.map((limit) => fits(data, limit))).toEqual(limits.map((limit) => bytes <= limit));
    }),
  );
});
