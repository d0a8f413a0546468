import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/config.ts';

function problemsOf(headers: unknown): readonly string[] {
  try {
    loadConfig({ SLUICE_HEADERS: typeof headers === 'string' ? headers : JSON.stringify(headers) });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const numbered = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-${i}`, 'a']));

const OWNED = `
  content-type Content-Length content-encoding transfer-encoding trailer te Connection keep-alive
  proxy-connection upgrade http2-settings Date cache-control expires etag vary allow
  WWW-Authenticate retry-after ratelimit RateLimit-Policy x-accel-buffering X-Accel-Redirect
  sluice-position access-control-allow-origin Access-Control-Allow-Credentials
  x-content-type-options cross-origin-resource-policy content-security-policy referrer-policy
`
  .trim()
  .split(/\s+/);

test('headers are read with their names in lower case', () => {
  const headers = { 'Timing-Allow-Origin': '*', NEL: '{"report_to":"d",\t"max_age":1}', 'x-a_b': '~ !' };
  expect(loadConfig({ SLUICE_HEADERS: JSON.stringify(headers) }).headers).toEqual({
    'timing-allow-origin': '*',
    nel: headers.NEL,
    'x-a_b': '~ !',
  });
});

describe('a header that the broker owns stops the start', () => {
  test.each(OWNED)('%s', (name) => {
    expect(problemsOf({ 'X-Good': 'a', [name]: 'b' })).toEqual([
      `SLUICE_HEADERS: /${name} belongs to the broker, which sets this header itself or keeps it out.`,
    ]);
  });
});

describe('a message points at the fault', () => {
  const VALUE = 'expected text of ASCII characters without line breaks, and without blanks at its ends.';

  test.each([
    ['LF', 'a\nb', '"a\\nb"'],
    ['CR and LF', 'a\r\nX-Evil: b', '"a\\r\\nX-Evil: b"'],
    ['NUL', 'a\0b', '"a\\u0000b"'],
    ['DEL', 'a\u007fb', '"a\u007fb"'],
    ['Latin-1', 'é', '"é"'],
    ['a character beyond Latin-1', '日本', '"日本"'],
    ['nothing', '', '""'],
    ['a blank at the start', ' a', '" a"'],
    ['a tab at the end', 'a\t', '"a\\t"'],
    ['a number', 7, '7'],
    ['null', null, 'null'],
    ['a list', ['a', 'b'], '["a","b"]'],
    ['a long value', `${'x'.repeat(100)}\n`, `"${'x'.repeat(59)}…`],
  ])('in a value with %s', (_what, value, shown) => {
    expect(problemsOf({ 'X-Good': 'a', 'X-Bad': value })).toEqual([
      `SLUICE_HEADERS: /X-Bad is ${shown}; ${VALUE}`,
    ]);
  });

  test.each([
    ['', '/'],
    [':status', '/:status'],
    ['X Y', '/X Y'],
    ['X-Y:', '/X-Y:'],
    ['X\r\nY', '/X\r\nY'],
    ['é', '/é'],
    ['a/b~c', '/a~1b~0c'],
    ['__proto__', '/__proto__'],
  ])('in the name %j', (name, pointer) => {
    expect(problemsOf(`{${JSON.stringify(name)}: "a"}`)).toEqual([
      `SLUICE_HEADERS: ${pointer} is not the name of a header; expected a name of letters, digits, - and _ that begins with a letter.`,
    ]);
  });

  test('in a name of more than 100 characters', () => {
    expect(problemsOf({ ['x'.repeat(100)]: 'a' })).toEqual([]);
    expect(problemsOf({ ['x'.repeat(101)]: 'a' })).toHaveLength(1);
  });

  test('in a name that is there twice', () => {
    expect(problemsOf({ 'X-A': 'a', 'x-a': 'b' })).toEqual([
      'SLUICE_HEADERS: /x-a is there twice; upper and lower case are the same name.',
    ]);
  });

  test('of all faults together, but 20 at most', () => {
    expect(problemsOf({ date: 'a', 'X-A': '', 'X-B': 1 })).toHaveLength(3);
    expect(problemsOf(Object.fromEntries(Object.keys(numbered(30)).map((name) => [name, 1])))).toHaveLength(
      20,
    );
  });
});

test('there may be 32 headers of 2 KiB in all, and not more', () => {
  expect(problemsOf(numbered(32))).toEqual([]);
  expect(problemsOf(numbered(100))).toEqual([
    'SLUICE_HEADERS: /X-32 is header number 33; expected at most 32.',
  ]);
  expect(problemsOf({ a: 'x'.repeat(2_047) })).toEqual([]);
  expect(problemsOf({ a: 'x'.repeat(2_047), b: 'x' })).toEqual([
    'SLUICE_HEADERS: /b makes the headers larger than 2048 bytes, names and values together.',
  ]);
});

test('JSON that breaks off is an error that says where', () => {
  expect(problemsOf('{"X-A":"b"')[0]).toContain(
    'expected a JSON object of header names and values (it breaks at position 10)',
  );
});
