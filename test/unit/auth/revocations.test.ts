import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenAccess } from '../../../src/auth/access.ts';
import { Revocations } from '../../../src/replicas/revocations.ts';
import { parseChannelName } from '../../../src/events/channel-name.ts';
import { revocationKey, revocationOf } from '../../../src/replicas/revocation.ts';

const [NEWS, ORDERS] = [parseChannelName('news'), parseChannelName('orders')];
const NOW = 1_700_000_000_000;
const TTL = 60_000;

function accessOf(subject: string | undefined, issuedAt: number): TokenAccess {
  return {
    kind: 'token',
    subject,
    subscribe: [],
    publish: [],
    admin: false,
    expiresAt: 8.64e15,
    issuedAt,
    fingerprint: 'x',
  };
}

interface Opened {
  readonly revocations: Revocations;
  /** Advances time. */
  readonly pass: (ms: number) => void;
  /** Sets the wall clock without advancing time. */
  readonly step: (ms: number) => void;
}

function opened(limit?: number): Opened {
  let now = NOW;
  let age = 0;
  const clocks = { wallClock: () => now, clock: () => age };
  return {
    revocations: new Revocations({ ttl: TTL, ...clocks, ...(limit !== undefined && { limit }) }),
    pass: (ms) => {
      now += ms;
      age += ms;
    },
    step: (ms) => {
      now += ms;
    },
  };
}

describe('a revocation by subject', () => {
  const { revocations } = opened();
  revocations.add({ subject: '7', channel: undefined, until: NOW });

  test.each([
    ['issued before', '7', NOW - 1, true],
    ['issued just then', '7', NOW, true],
    ['issued later', '7', NOW + 1, false],
    ['that does not say when it was issued', '7', 0, true],
    ['of another subject', '77', NOW - 1, false],
    ['without a subject', undefined, NOW - 1, false],
    ['of a subject without a name', '', NOW - 1, false],
  ])('a token %s', (_which, subject, issuedAt, refused) => {
    expect(revocations.refuses(accessOf(subject, issuedAt), NEWS)).toBe(refused);
    expect(revocations.refuses(accessOf(subject, issuedAt), ORDERS)).toBe(refused);
  });

  test('does not refuse a subscriber without a token', () => {
    expect(revocations.refuses(undefined, NEWS)).toBe(false);
  });
});

describe('a revocation by channel', () => {
  const { revocations } = opened();
  revocations.add({ subject: undefined, channel: NEWS, until: NOW });

  test.each([
    ['issued before, of any subject', '7', NOW - 1, true],
    ['without a subject', undefined, NOW - 1, true],
    ['issued later', '7', NOW + 1, false],
  ])('a token %s', (_which, subject, issuedAt, refused) => {
    expect(revocations.refuses(accessOf(subject, issuedAt), NEWS)).toBe(refused);
    expect(revocations.refuses(accessOf(subject, issuedAt), ORDERS)).toBe(false);
  });
});

test('a revocation by subject and channel refuses only tokens that match both', () => {
  const { revocations } = opened();
  revocations.add({ subject: '7', channel: NEWS, until: NOW });
  expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
  expect(revocations.refuses(accessOf('7', NOW), ORDERS)).toBe(false);
  expect(revocations.refuses(accessOf('8', NOW), NEWS)).toBe(false);
  expect(revocations.refuses(accessOf(undefined, NOW), NEWS)).toBe(false);
});

test('the later of two revocations of the same tokens counts, in any order', () => {
  const { revocations } = opened();
  expect([NOW - 10, NOW, NOW - 5].map((until) => revocations.add({ ...seven, until }))).toEqual([
    true,
    true,
    false,
  ]);
  expect(revocations.size).toBe(1);
  expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
});
const seven = { subject: '7', channel: undefined };

describe('after its time to live', () => {
  test('a revocation has no effect, and is removed', () => {
    const { revocations, pass } = opened();
    revocations.add({ ...seven, until: NOW });
    pass(TTL - 1);
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
    pass(1);
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(false);
    expect([...revocations.all()]).toEqual([]);
    revocations.sweep();
    expect(revocations.size).toBe(0);
  });

  test('a revocation is not added', () => {
    const { revocations } = opened();
    expect(revocations.add({ ...seven, until: NOW - TTL })).toBe(false);
    expect(revocations.size).toBe(0);
  });
});

describe('when the wall clock is set', () => {
  const DAY = 86_400_000;

  test.each([
    ['forward', DAY],
    ['back', -DAY],
  ])('%s, a revocation is in force for as long as before', (_where, ms) => {
    const { revocations, pass, step } = opened();
    revocations.add({ ...seven, until: NOW });
    step(ms);
    revocations.sweep();
    pass(TTL - 1);
    revocations.sweep();
    // By the wall clock, either everything has expired or nothing ever does.
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
    expect([...revocations.all()]).toEqual([{ ...seven, until: NOW }]);
    pass(1);
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(false);
    revocations.sweep();
    expect(revocations.size).toBe(0);
  });

  test('a revocation from a clock that is ahead is not kept for longer', () => {
    const { revocations, pass } = opened();
    revocations.add({ ...seven, until: NOW + DAY });
    expect(revocations.refuses(accessOf('7', NOW + 1), NEWS)).toBe(true);
    pass(TTL);
    revocations.sweep();
    expect(revocations.size).toBe(0);
  });

  test('an announced revocation counts, however old it is by this clock', () => {
    const { revocations, pass, step } = opened();
    step(DAY);
    revocations.addNew({ ...seven, until: NOW });
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
    pass(TTL - 1);
    step(-DAY);
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(true);
    pass(1);
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(false);
  });

  test('a revocation that is read again and again is kept for its time since the first read', () => {
    const { revocations, pass, step } = opened();
    revocations.add({ ...seven, until: NOW });
    step(-DAY);
    for (let i = 0; i < 10; i++) {
      pass(TTL / 10);
      expect(revocations.add({ ...seven, until: NOW })).toBe(false);
    }
    expect(revocations.refuses(accessOf('7', NOW), NEWS)).toBe(false);
  });
});

describe('with too many revocations', () => {
  test('at most twice the limit of the shared list are kept', () => {
    const { revocations } = opened(10);
    for (let i = 0; i < 100; i++) revocations.add({ subject: String(i), channel: undefined, until: NOW + i });
    expect(revocations.size).toBe(20);
    expect(revocations.refuses(accessOf('99', NOW), NEWS)).toBe(true);
  });

  test('expired ones are removed before others', () => {
    const { revocations, pass } = opened(1);
    revocations.add({ subject: 'in force', channel: undefined, until: NOW });
    revocations.add({ subject: 'expired', channel: undefined, until: NOW - TTL + 1_000 });
    pass(1_000);
    revocations.add({ subject: 'new', channel: undefined, until: NOW });
    expect([...revocations.all()].map(({ subject }) => subject)).toEqual(['in force', 'new']);
  });
});

test('the text form of a revocation can be parsed, for any subject', () => {
  const subject = fc.option(fc.string({ minLength: 1, unit: 'binary' }), { nil: undefined });
  const channel = fc.constantFrom(undefined, NEWS, ORDERS);
  fc.assert(
    fc.property(subject, channel, (one, two) => {
      const revocation = { subject: one, channel: two, until: NOW };
      expect(revocationOf(revocationKey(revocation), NOW)).toEqual(revocation);
    }),
  );
});
