import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-rules-'));
afterAll(() => rmSync(folder, { recursive: true }));

function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const problemsOfRules = (rules: unknown): readonly string[] =>
  problemsOf({ SLUICE_CHANNELS: JSON.stringify(rules) });
const history = (value: unknown): readonly string[] => problemsOfRules([{ match: 'a', history: value }]);
const numbered = (count: number): object[] => Array.from({ length: count }, (_, i) => ({ match: `c${i}` }));

describe('a message points at the fault in SLUICE_CHANNELS', () => {
  const PATTERN = 'expected a channel name, a prefix followed by *, or *.';
  const KEYS = 'expected a whole number from 1 to 10000.';
  const SIZE = 'expected a whole number from 0 to 10000000.';

  test.each([
    ['a rule that is no object', ['chat.*'], '/0 is "chat.*"; expected an object such as'],
    ['a rule that is null', [{ match: 'a' }, null], '/1 is null; expected an object such as'],
    ['no pattern', [{ public: true }], `/0/match is missing; ${PATTERN}`],
    ['a pattern that is no text', [{ match: 7 }], `/0/match is 7; ${PATTERN}`],
    ['an empty pattern', [{ match: '' }], `/0/match is ""; ${PATTERN}`],
    ['a star that is not at the end', [{ match: 'a' }, { match: 'a*b' }], `/1/match is "a*b"; ${PATTERN}`],
    ['a slash', [{ match: 'a/b' }], `/0/match is "a/b"; ${PATTERN}`],
    ['a long pattern', [{ match: 'x'.repeat(201) }], `/0/match is "${'x'.repeat(59)}…; ${PATTERN}`],
    ['public as text', [{ match: 'a', public: 'yes' }], '/0/public is "yes"; expected true or false.'],
    ['latest as a number', [{ match: 'a', latest: 1 }], '/0/latest is 1; expected true or false.'],
    ['no keys', [{ match: 'a', keys: 0 }], `/0/keys is 0; ${KEYS}`],
    ['half a key', [{ match: 'a', keys: 0.5 }], `/0/keys is 0.5; ${KEYS}`],
    ['too many keys', [{ match: 'a', keys: 10_001 }], `/0/keys is 10001; ${KEYS}`],
    ['keys as text', [{ match: 'a', keys: '5' }], `/0/keys is "5"; ${KEYS}`],
  ])('%s', (_what, rules, expected) => {
    const [problem = '', ...more] = problemsOfRules(rules);
    expect(more).toEqual([]);
    expect(problem.startsWith(`SLUICE_CHANNELS: ${expected}`), problem).toBe(true);
  });

  test.each([
    ['a history that is a number', 100, '/0/history is 100; expected an object such as'],
    ['a negative size', { size: -1 }, `/0/history/size is -1; ${SIZE}`],
    ['a size that is not whole', { size: 1.5 }, `/0/history/size is 1.5; ${SIZE}`],
    ['a huge size', { size: 1e9 }, `/0/history/size is 1000000000; ${SIZE}`],
    ['a size that no double holds', { size: 1e300 }, `/0/history/size is 1e+300; ${SIZE}`],
    ['a size as text', { size: '5' }, `/0/history/size is "5"; ${SIZE}`],
    ['a size that is null', { size: null }, `/0/history/size is null; ${SIZE}`],
    ['a ttl without a unit', { ttl: '0' }, '/0/history/ttl is "0"; expected a number with ms, s, m, h or d.'],
    [
      'a ttl that is no time',
      { ttl: 'x' },
      '/0/history/ttl is "x"; expected a number with ms, s, m, h or d.',
    ],
    ['a ttl that is a number', { ttl: 60 }, '/0/history/ttl is 60; expected a number with ms, s, m, h or d.'],
    ['a ttl of nothing', { ttl: '0s' }, '/0/history/ttl is "0s"; expected at least 1000 ms.'],
    ['a ttl of years', { ttl: '366d' }, '/0/history/ttl is "366d"; expected at most'],
    [
      'an unknown member',
      { length: 5 },
      '/0/history/length is not known; the members here are size and ttl.',
    ],
  ])('%s', (_what, value, expected) => {
    const [problem = '', ...more] = history(value);
    expect(more).toEqual([]);
    expect(problem.startsWith(`SLUICE_CHANNELS: ${expected}`), problem).toBe(true);
  });

  test('an unknown member of a rule, by its pointer (RFC 6901)', () => {
    const rules = [{ match: 'a' }, { match: 'b', latest: true, keys: 1, key: 1, 'keys/~': 1 }];
    expect(problemsOfRules(rules)).toEqual([
      'SLUICE_CHANNELS: /1/key is not known; the members here are match, history, public, latest and keys.',
      'SLUICE_CHANNELS: /1/keys~1~0 is not known; the members here are match, history, public, latest and keys.',
    ]);
  });

  test('all faults together, but 20 at most', () => {
    expect(problemsOfRules([{ match: '' }, { match: 'a', history: { size: -1, ttl: '' } }])).toHaveLength(3);
    expect(problemsOfRules(Array.from({ length: 100 }, () => 7))).toHaveLength(20);
  });
});

test('JSON that breaks off is an error that says where, and repeats nothing of the text', () => {
  for (const text of ['[{"match":"hunter2"', '[{"match":"hunter2",}]', 'hunter2']) {
    const [problem = '', ...more] = problemsOf({ SLUICE_CHANNELS: text });
    expect(more).toEqual([]);
    expect(problem).toContain('expected a JSON array of rules');
    expect(problem.split('Example:')[0]).not.toContain('hunter2');
  }
  expect(problemsOf({ SLUICE_CHANNELS: '[{"match":"a"' })[0]).toContain('(it breaks at position 13)');
});

test('there may be 100 rules, and not 101', () => {
  expect(problemsOfRules(numbered(100))).toEqual([]);
  expect(problemsOfRules(numbered(101))).toEqual([
    'SLUICE_CHANNELS: /100 is rule number 101 of 101; expected at most 100.',
  ]);
});

describe('a rule that can never apply is an error', () => {
  test.each([
    ['the same pattern twice', ['chat.*', 'chat.*']],
    ['a name after its prefix', ['chat.*', 'chat.room']],
    ['a prefix after a shorter one', ['chat*', 'chat.*']],
    ['anything after *', ['*', 'a']],
  ])('%s', (_what, patterns) => {
    const [problem, ...more] = problemsOfRules(patterns.map((match) => ({ match })));
    expect(more).toEqual([]);
    expect(problem).toBe(
      `SLUICE_CHANNELS: /1/match is "${patterns[1]}" and never applies, because /0/match is "${patterns[0]}" and the first match wins; move rule 1 before rule 0, or remove it.`,
    );
  });

  test.each([
    ['a prefix after its name', ['chat.room', 'chat.*', 'chat*', '*']],
    ['a shorter name', ['chat.room', 'chat']],
    ['neighbours', ['a.*', 'b.*', 'a']],
  ])('but not %s', (_what, patterns) => {
    expect(problemsOfRules(patterns.map((match) => ({ match })))).toEqual([]);
  });
});

describe('the rules can come from a file', () => {
  const file = join(folder, 'channels.json');

  test('over several lines, with a byte order mark', () => {
    writeFileSync(file, '\ufeff[\n  {"match": "a"}\n]\n');
    expect(loadConfig({ SLUICE_CHANNELS_FILE: file }).channels).toHaveLength(1);
  });

  test('but not from both', () => {
    expect(problemsOf({ SLUICE_CHANNELS: '[]', SLUICE_CHANNELS_FILE: file })).toEqual([
      'SLUICE_CHANNELS and SLUICE_CHANNELS_FILE are both set. Keep one of them.',
    ]);
  });

  test('and the file has to be there', () => {
    const [problem] = problemsOf({ SLUICE_CHANNELS_FILE: join(folder, 'missing') });
    expect(problem).toMatch(/^SLUICE_CHANNELS_FILE names a file that cannot be read: .*missing/);
  });

  test('an empty value is no rule, and gives a warning', () => {
    const { channels, warnings } = loadConfig({ SLUICE_CHANNELS: '' });
    expect(channels).toEqual([]);
    expect(warnings.join('\n')).toContain('SLUICE_CHANNELS is set, but empty');
  });
});
