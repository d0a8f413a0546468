import { expect, test } from 'vitest';
import { bearerToken } from '../../../src/auth/bearer.ts';

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER abc', 'abc'],
  ['Bearer   abc', 'abc'],
  ['Bearer abc  ', 'abc'],
  ['Bearer a.b-c_d~e+f/g==', 'a.b-c_d~e+f/g=='],
  ['Bearer a,b', 'a,b'],
])('%o carries %o', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});

test.each([
  undefined,
  '',
  'Bearer',
  'Bearer ',
  'Bearerabc',
  ' Bearer abc',
  'Basic abc',
  'abc',
  'Bearer a b',
  'Bearer a\tb',
  'Basic x, Bearer abc',
])('%o carries no token', (header) => {
  expect(bearerToken(header)).toBeUndefined();
});

test('reading a long header without a token takes linear time', () => {
  expect(bearerToken(`Bearer ${' '.repeat(100_000)}`)).toBeUndefined();
  expect(bearerToken(`Bearer ${'a '.repeat(50_000)}`)).toBeUndefined();
});
