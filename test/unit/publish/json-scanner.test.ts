import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compactText, scanJson } from '../../../src/publish/json-scanner.ts';

function accepts(text: string): boolean {
  try {
    scanJson(Buffer.from(text), () => undefined);
    return true;
  } catch {
    return false;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const CASES = [
  ['', 'nothing'],
  [' ', 'a blank'],
  ['1 2', 'two values'],
  ['01', 'a leading zero'],
  ['-', 'a sign alone'],
  ['-0', 'minus zero'],
  ['+1', 'plus'],
  ['1.', 'a point at the end'],
  ['.5', 'a point in front'],
  ['1e', 'an exponent without digits'],
  ['1e+', 'an exponent with a sign alone'],
  ['1E-07', 'an exponent with a zero'],
  ['0x1', 'hexadecimal'],
  ['NaN', 'NaN'],
  ['tru', 'half a word'],
  ['truex', 'too much of a word'],
  ['nul', 'half of null'],
  ['"a', 'an open string'],
  ['"\\"', 'a string that ends in an escape'],
  ['"\\x41"', 'an unknown escape'],
  ['"\\u12G4"', 'an escape that is not hexadecimal'],
  ['"\\u123"', 'a short escape'],
  ['"\\u00e9\\b\\f\\n\\r\\t\\/\\\\"', 'all escapes'],
  ['"\t"', 'a raw tab'],
  ['"\u007f\u2028"', 'characters that JSON does not count as control characters'],
  ['[', 'an open list'],
  ['[1,]', 'a comma at the end'],
  ['[,1]', 'a comma in front'],
  ['[1 2]', 'no comma'],
  ['[1}', 'the wrong bracket'],
  ['{"a":1]', 'the other wrong bracket'],
  ['{"a"}', 'no value'],
  ['{"a":}', 'no value behind the colon'],
  ['{"a" 1}', 'no colon'],
  ['{a:1}', 'a name without quotes'],
  ['{1:1}', 'a name that is a number'],
  ['{"a":1,}', 'a comma at the end of an object'],
  ['{,}', 'a comma alone'],
  ['{}{}', 'two objects'],
  [']', 'a bracket too many'],
  ['[]]', 'another'],
  ['\ufeff{}', 'a byte order mark'],
  ['\u00a0{}', 'a blank that JSON does not count as a blank'],
  ['{"a":[{"b":[]},null,true,false,-1.5e3,"x"]}', 'all there is'],
  [' \t\r\n[ \t\r\n] \t\r\n', 'blanks everywhere'],
] as const;

test.each(CASES)('%j is accepted exactly when JSON.parse accepts it: %s', (text) => {
  expect(accepts(text)).toBe(isJson(text));
});

test('valid JSON is accepted, and changed JSON is accepted exactly when JSON.parse accepts it', () => {
  const change = fc.record({
    at: fc.nat(200),
    cut: fc.nat(2),
    put: fc.oneof(
      fc.constantFrom(
        '',
        ',',
        ':',
        '"',
        '\\',
        '[',
        ']',
        '{',
        '}',
        '0',
        '1',
        '-',
        '.',
        'e',
        'u',
        ' ',
        't',
        '\n',
      ),
      fc.string({ maxLength: 2 }),
    ),
  });
  fc.assert(
    fc.property(
      fc.json({ stringUnit: 'binary', maxDepth: 4 }),
      fc.array(change, { maxLength: 3 }),
      (json, changes) => {
        const text = changes.reduce((all, { at, cut, put }) => {
          const where = at % (all.length + 1);
          return (all.slice(0, where) + put + all.slice(where + cut)).toWellFormed();
        }, json);
        expect([text, accepts(text)]).toEqual([text, isJson(text)]);
      },
    ),
    { numRuns: 3_000 },
  );
});

function members(text: string): (readonly [name: unknown, value: string])[] {
  const bytes = Buffer.from(text);
  const found: (readonly [unknown, string])[] = [];
  scanJson(bytes, (name, value, end) => {
    const quoted = /^"(?:[^"\\]|\\.)*"/.exec(bytes.toString('utf8', name))?.[0] ?? '';
    found.push([JSON.parse(quoted), compactText(bytes, value, end)]);
  });
  return found;
}

describe('the members of an object', () => {
  test('are those of the outermost object, in order, including repeated ones', () => {
    expect(members(' { "a" : [ 1 , {"x": 2} ] , "é\\"": { } ,"a":"  b " , "c":-1.0 } ')).toEqual([
      ['a', '[1,{"x":2}]'],
      ['é"', '{}'],
      ['a', '"  b "'],
      ['c', '-1.0'],
    ]);
  });

  test.each(['[{"a":1}]', '"a"', '1', '{}'])('of %s do not exist', (text) => {
    expect(members(text)).toEqual([]);
  });

  test('have the text that JSON.stringify makes, with any blanks between tokens', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ stringUnit: 'grapheme' }),
        fc.constantFrom(0, 1, 4, '\t', ' \n'),
        (value, indent) => {
          expect(members(JSON.stringify({ value }, null, indent))).toEqual([
            ['value', JSON.stringify(value)],
          ]);
        },
      ),
    );
  });
});

describe('half of a surrogate pair', () => {
  test.each([
    String.raw`"\ud800"`,
    String.raw`"\uDFFF"`,
    String.raw`"\udc00\ud800"`,
    String.raw`"\ud800\ud800\udc00"`,
    String.raw`"\ud800x\udc00"`,
    String.raw`{"\ud800":1}`,
    String.raw`[[{"a":["\ud83d\u0041"]}]]`,
  ])('is found in %s', (text) => {
    expect(scanJson(Buffer.from(text), () => undefined).loneSurrogate).toBe(true);
  });

  test.each([String.raw`"\ud83d\ude00"`, String.raw`"\\ud800"`, '"😀"', String.raw`"\ud7ff\ue000"`])(
    'is not found in %s',
    (text) => {
      expect(scanJson(Buffer.from(text), () => undefined).loneSurrogate).toBe(false);
    },
  );
});
