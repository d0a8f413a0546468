import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { untimelyTokens } from '../../../src/auth/remembered-verdicts.ts';
import type { UntimelyToken } from '../../../src/auth/token-errors.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function goodFrom(from: number): UntimelyToken {
  return { kind: 'untimely', fault: 'is not good now', from };
}

test('an expired token is remembered for a minute, however often it comes', () => {
  const tokens = untimelyTokens();
  tokens.set('a', goodFrom(Infinity));
  for (let i = 0; i < 59; i++) {
    vi.advanceTimersByTime(1_000);
    expect(tokens.get('a')).toBeDefined();
  }
  expect(tokens.get('b')).toBeUndefined();
  vi.advanceTimersByTime(1_000);
  expect(tokens.get('a')).toBeUndefined();
});

test('a token that is not valid yet is remembered until it becomes valid', () => {
  const tokens = untimelyTokens();
  tokens.set('a', goodFrom(Date.now() + 10_000));
  vi.advanceTimersByTime(9_999);
  expect(tokens.get('a')).toBeDefined();
  vi.advanceTimersByTime(1);
  expect(tokens.get('a')).toBeUndefined();
});

test('1,000 tokens are remembered: those that came last', () => {
  const tokens = untimelyTokens();
  for (let i = 0; i < 1_000; i++) tokens.set(`token ${i}`, goodFrom(Infinity));
  expect(tokens.get('token 0')).toBeDefined();
  tokens.set('one more', goodFrom(Infinity));
  expect(tokens.get('token 0')).toBeDefined();
  expect(tokens.get('token 1')).toBeUndefined();
  expect(tokens.get('token 2')).toBeDefined();
});
