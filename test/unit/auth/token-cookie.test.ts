import { describe, expect, test } from 'vitest';
import { cookieCounts, cookieToken } from '../../../src/auth/token-cookie.ts';

describe('the token in a cookie', () => {
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['a=b', undefined],
    ['sluice_token', undefined],
    ['sluice_token=', undefined],
    ['sluice_token=a.b.c', 'a.b.c'],
    ['a=b; sluice_token=a.b.c; c=d', 'a.b.c'],
    ['a=b;sluice_token=a.b.c', 'a.b.c'],
    ['sluice_token="a.b.c"', 'a.b.c'],
    ['sluice_token=a=b', 'a=b'],
    ['sluice_token=first; sluice_token=second', 'first'],
    ['xsluice_token=a', undefined],
    ['SLUICE_TOKEN=a', undefined],
    ['a=sluice_token=b', undefined],
  ])('%j is %j', (cookie, token) => {
    expect(cookieToken(cookie)).toBe(token);
  });
});

describe('a cookie counts', () => {
  const listed = ['https://app.example.com', '*'];
  const host = 'sluice.example.com';

  test.each([
    ['from what is no page', { host }],
    ['from our own page, as the browser says', { host, 'sec-fetch-site': 'same-origin' }],
    [
      'behind a proxy that changes Host, too',
      { host: 'sluice-1:3000', origin: 'https://x', 'sec-fetch-site': 'same-origin' },
    ],
    ['from the address bar', { host, 'sec-fetch-site': 'none' }],
    ['from our own origin', { host, origin: 'https://sluice.example.com' }],
    ['with the default port written out', { host: `${host}:443`, origin: 'https://sluice.example.com' }],
    ['on another port that is ours', { host: `${host}:8443`, origin: 'https://sluice.example.com:8443' }],
    ['over IPv6', { host: '[::1]:3000', origin: 'http://[::1]:3000' }],
    ['from a listed origin', { host, origin: 'https://app.example.com', 'sec-fetch-site': 'same-site' }],
  ])('%s', (_from, headers) => {
    expect(cookieCounts(headers, listed)).toBe(true);
  });

  test.each([
    ['another origin', { host, origin: 'https://evil.example' }],
    ['one that * would allow', { host, origin: 'https://any.example', 'sec-fetch-site': 'cross-site' }],
    ['one that begins like a listed one', { host, origin: 'https://app.example.com.evil.example' }],
    ['one that ends like a listed one', { host, origin: 'https://evil-app.example.com' }],
    ['a listed one with another scheme', { host, origin: 'http://app.example.com' }],
    ['a listed one with another port', { host, origin: 'https://app.example.com:8443' }],
    ['our host with another port', { host, origin: 'https://sluice.example.com:8443' }],
    ['another host of our site', { host, origin: 'https://example.com', 'sec-fetch-site': 'same-site' }],
    ['null, as frames in a sandbox have', { host, origin: 'null' }],
    ['a file', { host, origin: 'file://' }],
    ['nothing that can be read', { host, origin: 'sluice.example.com' }],
    ['our host with a name before it', { host, origin: 'https://x@sluice.example.com' }],
    ['a page, by an image or a link', { host, 'sec-fetch-site': 'cross-site' }],
    ['a page of our site, by an image or a link', { host, 'sec-fetch-site': 'same-site' }],
    ['a page, when there is no Host', { origin: 'https://sluice.example.com' }],
  ])('not from %s', (_from, headers) => {
    expect(cookieCounts(headers, listed)).toBe(false);
  });
});
