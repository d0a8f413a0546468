import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';

describe('publish keys', () => {
  const keys = new PublishKeys(['one', 'two', 'three']);

  test.each(['one', 'two', 'three'])('accept %s', (key) => {
    expect(keys.accepts(key)).toBe(true);
  });

  test.each(['', 'o', 'ones', 'One', 'one ', 'one,two', 'four', '\0', 'one\0', 'x'.repeat(100_000)])(
    'refuse %o',
    (key) => {
      expect(keys.accepts(key)).toBe(false);
    },
  );

  test('accept nothing when there are no keys', () => {
    expect(new PublishKeys([]).accepts('')).toBe(false);
    expect(new PublishKeys([]).accepts('one')).toBe(false);
  });

  test('accept exactly the listed keys', () => {
    const key = fc.string({ minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(key, { maxLength: 5 }), key, (known, asked) => {
        const some = new PublishKeys(known);
        expect(known.every((one) => some.accepts(one))).toBe(true);
        expect(some.accepts(asked)).toBe(known.includes(asked));
      }),
    );
  });

  test('hide the keys when they are printed', () => {
    expect(JSON.stringify(keys)).toBe('{}');
  });
});
