import { expect, test } from 'vitest';
import { FailedAttempts } from '../../../src/auth/failed-attempts.ts';

/** A limit of three a minute, with a clock that the test sets. */
function watch(): { attempts: FailedAttempts; clock: { now: number } } {
  const clock = { now: 1_000 };
  return { clock, attempts: new FailedAttempts({ limit: 3, window: 60_000 }, () => clock.now) };
}

test('an address is blocked after as many failures as the limit, and no other address is', () => {
  const { attempts } = watch();
  for (let i = 0; i < 3; i++) {
    expect(attempts.blocked('a')).toBe(false);
    attempts.failed('a');
  }
  expect(attempts.blocked('a')).toBe(true);
  expect(attempts.blocked('b')).toBe(false);
});

test('the block ends with the window, which began with the first failure', () => {
  const { attempts, clock } = watch();
  attempts.failed('a');
  clock.now += 59_000;
  attempts.failed('a');
  attempts.failed('a');
  expect(attempts.retryAfter('a')).toBe(1);
  expect(attempts.blocked('a')).toBe(true);
  clock.now += 1_000;
  expect(attempts.retryAfter('a')).toBe(0);
  expect(attempts.blocked('a')).toBe(false);
  attempts.failed('a');
  expect(attempts.blocked('a')).toBe(false);
});

test('without a limit no address is blocked', () => {
  const attempts = new FailedAttempts({ limit: Infinity, window: 0 });
  for (let i = 0; i < 1_000; i++) attempts.failed('a');
  expect(attempts.blocked('a')).toBe(false);
  expect(attempts.retryAfter('a')).toBe(0);
});

test('a bounded number of addresses is remembered: those that failed last', () => {
  const { attempts } = watch();
  for (let i = 0; i < 3; i++) attempts.failed('early');
  for (let i = 0; i < 3; i++) attempts.failed('goes on');
  for (let i = 0; i < 9_999; i++) {
    attempts.failed(`other ${i}`);
    if (i % 1_000 === 0) attempts.failed('goes on');
  }
  expect(attempts.blocked('goes on')).toBe(true);
  expect(attempts.blocked('early')).toBe(false);
});
