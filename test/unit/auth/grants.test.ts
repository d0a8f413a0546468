import { describe, expect, test } from 'vitest';
import { readGrants } from '../../../src/auth/grants.ts';

describe('what a token grants', () => {
  test.each([
    ['nothing without a claim', {}, [], []],
    ['nothing with an empty claim', { sluice: {} }, [], []],
    ['nothing with empty lists', { sluice: { subscribe: [], publish: [] } }, [], []],
    [
      'the channels in the claim',
      { sluice: { subscribe: ['orders.*', 'news'], publish: ['*'] } },
      ['orders.*', 'news'],
      ['*'],
    ],
    ['one of the two', { sluice: { publish: ['news'] } }, [], ['news']],
    [
      "the channels in Mercure's claim",
      { mercure: { subscribe: ['news'], payload: { a: 1 } } },
      ['news'],
      [],
    ],
    [
      "the channels in the claim, without those in Mercure's",
      { sluice: { subscribe: ['news'] }, mercure: { publish: ['https://example.com/{id}'] } },
      ['news'],
      [],
    ],
  ])('%s', (_what, claims, subscribe, publish) => {
    expect(readGrants(claims)).toEqual({ subscribe, publish, admin: false });
  });

  test.each([
    [{ sluice: { admin: true } }, true],
    [{ sluice: { admin: false } }, false],
    [{ mercure: { admin: true } }, true],
    [{ sluice: {}, mercure: { admin: true } }, false],
    [{ admin: true }, false],
  ])('looking in: %j', (claims, admin) => {
    expect(readGrants(claims)).toEqual({ subscribe: [], publish: [], admin });
  });
});

describe('an unreadable claim is named, and its text is not repeated', () => {
  test.each<readonly [claims: Record<string, unknown>, name: string]>([
    [{ sluice: null }, 'claim sluice '],
    [{ sluice: 'orders' }, 'claim sluice '],
    [{ sluice: ['orders'] }, 'claim sluice '],
    [{ mercure: true }, 'claim mercure '],
    [{ sluice: { subscribe: 'secret' } }, 'claim sluice.subscribe '],
    [{ sluice: { subscribe: null } }, 'claim sluice.subscribe '],
    [{ sluice: { subscribe: { 0: 'secret' } } }, 'claim sluice.subscribe '],
    [{ sluice: { publish: 7 } }, 'claim sluice.publish '],
    [{ mercure: { publish: ['https://example.com/secret'] } }, 'mercure.publish[0]'],
    ...[null, 1, 'true', 'secret', [], {}].map(
      (admin) => [{ sluice: { admin } }, 'claim sluice.admin '] as const,
    ),
    ...['**', 'a*b', '', '*a', 'secret*x', 'a b', 'a/b', 'a,b', 'é', 'x'.repeat(201), 7, null, ['a']].map(
      (pattern) => [{ sluice: { subscribe: ['news', pattern] } }, 'sluice.subscribe[1]'] as const,
    ),
  ])('%j', (claims, name) => {
    const read = (): unknown => readGrants(claims);
    expect(read).toThrow(expect.objectContaining({ code: 'unauthorized' }));
    expect(read).toThrow(name);
    expect(read).not.toThrow('secret');
  });
});
