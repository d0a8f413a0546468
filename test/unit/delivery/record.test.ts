import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeRecord, isKnownVersion, readRecord, recordHead } from '../../../src/events/record.ts';

const lineBreaks = fc.constantFrom('\r\n', '\r', '\n', '\u2028', '\u2029', '\v', '\f', '\u0085');
const text = fc.string({ unit: 'grapheme', maxLength: 50 }).filter((one) => one.isWellFormed());
const data = fc.array(fc.oneof(text, lineBreaks), { maxLength: 20 }).map((parts) => parts.join(''));
const type = text.filter((one) => one !== '' && !/\p{Cc}/u.test(one));
const key = fc.stringMatching(/^[!-~]{1,200}$/);
const event = fc.record({ type, key, data }, { requiredKeys: ['data'] });

/** A line of a record of version 1 with a field that this broker does not know. */
const unknownField = fc
  .tuple(fc.constantFrom('a', 'd', 'm', 'u', 'z', 'A', '0', '1', '-'), type)
  .map(([letter, value]) => `${letter}${value}\n`);

describe('the record of an event', () => {
  test('returns type, key and data byte for byte', () => {
    fc.assert(
      fc.property(event, (one) => {
        const record = Buffer.from(encodeRecord(one));
        expect(isKnownVersion(record)).toBe(true);
        const read = readRecord(record);
        if (read.version !== 1) throw new Error('not version 1');
        expect(read.data.toString()).toBe(one.data);
        expect(read).toMatchObject({ type: one.type, key: one.key });
      }),
    );
  });

  test('returns the data as a view of the record', () => {
    const one = { type: 'tick', data: 'a\r\nb\rc\nd\n\n' };
    const record = Buffer.from(encodeRecord(one));
    const read = readRecord(record);
    expect(encodeRecord(one)).toBe(recordHead(one) + one.data);
    expect('data' in read && read.data.buffer === record.buffer).toBe(true);
    expect('data' in read && read.data.toString()).toBe(one.data);
  });

  test('without fields has only its version before the data', () => {
    expect(encodeRecord({ data: 'x' })).toBe('1\n\nx');
    expect(encodeRecord({ type: 't', key: 'k', data: '' })).toBe('1\ntt\nkk\n\n');
  });

  test('with unknown fields is read without them', () => {
    fc.assert(
      fc.property(event, fc.array(unknownField), fc.array(unknownField), (one, before, after) => {
        const known = recordHead(one).slice(2, -1);
        const record = Buffer.from(`1\n${before.join('')}${known}${after.join('')}\n${one.data}`);
        expect(isKnownVersion(record)).toBe(true);
        const read = readRecord(record);
        expect(read).toMatchObject({ type: one.type, key: one.key });
        expect('data' in read && read.data.toString()).toBe(one.data);
      }),
    );
  });

  test('of version 0 keeps its SSE fields unchanged', () => {
    const record = Buffer.from('0event: x\ndata: a\ndata: b\n\n');
    expect(isKnownVersion(record)).toBe(true);
    expect(readRecord(record)).toEqual({ version: 0, fields: Buffer.from('event: x\ndata: a\ndata: b\n\n') });
  });

  test('of an unknown version is refused, and the error names the version', () => {
    for (const [form, named] of [
      ['2\n\nx', '"2"'],
      ['10\n\nx', '"10"'],
      ['', '""'],
      ['1', '"1"'],
      ['1x\n', '"1x"'],
      ['data: x\n\n', '"data: x"'],
    ] as const) {
      const record = Buffer.from(form);
      expect(isKnownVersion(record)).toBe(false);
      expect(() => readRecord(record)).toThrow(
        expect.objectContaining({
          code: 'log-unavailable',
          trouble: 'version',
          message: expect.stringContaining(named) as string,
        }),
      );
    }
  });

  test('of any bytes is either read or refused with an error', () => {
    const start = fc.constantFrom('', '0', '1', '1\n', '1\n\n', '1\nt', '1\nta\nk', '2\n');
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 40 }), (head, rest) => {
        const record = Buffer.concat([Buffer.from(head), rest]);
        if (isKnownVersion(record)) expect([0, 1]).toContain(readRecord(record).version);
        else expect(() => readRecord(record)).toThrow(/Upgrade this replica/);
      }),
    );
  });
});
