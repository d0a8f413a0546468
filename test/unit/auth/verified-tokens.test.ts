import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TokenAccess } from '../../../src/auth/access.ts';
import { verifiedTokens } from '../../../src/auth/remembered-verdicts.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function until(expiresAt: number): TokenAccess {
  return {
    kind: 'token',
    subject: '7',
    subscribe: [],
    publish: [],
    admin: false,
    expiresAt,
    issuedAt: 0,
    fingerprint: '',
  };
}

test('a verified token is known until it expires', () => {
  const tokens = verifiedTokens();
  tokens.set('a', until(Date.now() + 10_000));
  vi.advanceTimersByTime(9_999);
  expect(tokens.get('a')).toBeDefined();
  vi.advanceTimersByTime(1);
  expect(tokens.get('a')).toBeUndefined();
});

test('a verified token is known for a minute at most, so that a key can be removed', () => {
  const tokens = verifiedTokens();
  tokens.set('a', until(8.64e15));
  for (let i = 0; i < 59; i++) {
    vi.advanceTimersByTime(1_000);
    expect(tokens.get('a')).toBeDefined();
  }
  vi.advanceTimersByTime(1_000);
  expect(tokens.get('a')).toBeUndefined();
});

test('10,000 tokens are known: those that were used last', () => {
  const tokens = verifiedTokens();
  for (let i = 0; i < 10_000; i++) tokens.set(`token ${i}`, until(8.64e15));
  expect(tokens.get('token 0')).toBeDefined();
  tokens.set('one more', until(8.64e15));
  expect(tokens.get('token 0')).toBeDefined();
  expect(tokens.get('token 1')).toBeUndefined();
  expect(tokens.get('token 2')).toBeDefined();
});

test('setting the clock back does not make a token known for longer', () => {
  const tokens = verifiedTokens();
  tokens.set('a', until(8.64e15));
  vi.setSystemTime(Date.now() - 86_400_000);
  vi.advanceTimersByTime(59_999);
  expect(tokens.get('a')).toBeDefined();
  vi.advanceTimersByTime(1);
  expect(tokens.get('a')).toBeUndefined();
});

test("setting the clock forward past a token's expiry ends it, because expiry is wall time", () => {
  const tokens = verifiedTokens();
  tokens.set('a', until(Date.now() + 3_600_000));
  vi.setSystemTime(Date.now() + 3_600_000);
  expect(tokens.get('a')).toBeUndefined();
});
