import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { matchesAny, parseChannelPattern } from '../../../src/events/channel-pattern.ts';
import type { ChannelPattern } from '../../../src/events/channel-pattern.ts';

function patterns(...texts: readonly string[]): ChannelPattern[] {
  return texts.map((text) => {
    const pattern = parseChannelPattern(text);
    if (pattern === undefined) throw new Error(`${text} is no pattern`);
    return pattern;
  });
}

describe('a pattern matches', () => {
  test.each([
    ['news', 'news'],
    ['*', 'anything'],
    ['orders.*', 'orders.42'],
    ['orders.*', 'orders.'],
    ['orders.*', 'orders.42.lines'],
    ['orders*', 'orders'],
    ['a.b', 'a.b'],
    ['.*', '.hidden'],
  ])('%s: %s', (pattern, channel) => {
    expect(matchesAny(patterns('other', pattern), parseChannelName(channel))).toBe(true);
  });
});

describe('a pattern does not match', () => {
  test.each([
    ['news', 'newsroom'],
    ['news', 'new'],
    ['news', 'NEWS'],
    ['orders.*', 'orders'],
    ['orders.*', 'ordersX42'],
    ['orders.*', 'my.orders.42'],
    ['a.b', 'aXb'],
    ['.*', 'word'],
  ])('%s: %s', (pattern, channel) => {
    expect(matchesAny(patterns(pattern), parseChannelName(channel))).toBe(false);
  });

  test('any name when there are no patterns', () => {
    expect(matchesAny([], parseChannelName('news'))).toBe(false);
  });
});

test.each([
  '',
  '**',
  'a*b',
  '*a',
  'a**',
  'a b',
  'a/b',
  'a,b',
  'a@b',
  'é',
  'a*\n',
  '\n*',
  'a?',
  `${'a'.repeat(201)}*`,
])('%o is not a pattern', (text) => {
  expect(parseChannelPattern(text)).toBeUndefined();
});

test('every name is a pattern that matches itself, and so is every prefix of it with a star', () => {
  const name = fc.stringMatching(/^[A-Za-z0-9._:~-]{1,200}$/).filter((text) => text !== '.' && text !== '..');
  fc.assert(
    fc.property(name, fc.nat(), (text, at) => {
      const channel = parseChannelName(text);
      expect(matchesAny(patterns(text), channel)).toBe(true);
      expect(matchesAny(patterns(`${text.slice(0, at % (text.length + 1))}*`), channel)).toBe(true);
    }),
  );
});

test('every text is either refused, or matches exactly the names that begin with it', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a.*]{0,6}$/));
  const name = fc.stringMatching(/^[a.]{1,8}$/).filter((one) => one !== '.' && one !== '..');
  fc.assert(
    fc.property(text, name, (given, other) => {
      const pattern = parseChannelPattern(given);
      const star = given.indexOf('*');
      // A valid pattern has a star at its end or nowhere.
      if (pattern === undefined || (star >= 0 && star < given.length - 1)) {
        expect(pattern).toBeUndefined();
        return;
      }
      const prefix = star < 0 ? given : given.slice(0, star);
      expect(prefix).toMatch(/^[A-Za-z0-9._:~-]*$/);
      expect(matchesAny([pattern], parseChannelName(other))).toBe(
        star < 0 ? other === given : other.startsWith(prefix),
      );
    }),
  );
});
