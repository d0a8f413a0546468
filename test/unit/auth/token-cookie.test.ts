import { describe, expect, test } from 'vitest';
import { AllowedOrigins } from '../../../src/auth/allowed-origins.ts';
import { isCookieAccepted, cookieTokens } from '../../../src/auth/token-cookie.ts';

describe('the tokens in a Cookie header', () => {
  const eight = Array.from({ length: 8 }, (_, i) => `${i}`);

  test.each<[string | undefined, readonly string[]]>([
    [undefined, []],
    ['', []],
    ['a=b', []],
    ['sluice_token', []],
    ['sluice_token=', []],
    ['sluice_token=a.b.c', ['a.b.c']],
    ['a=b; sluice_token=a.b.c; c=d', ['a.b.c']],
    ['a=b;sluice_token=a.b.c', ['a.b.c']],
    ['sluice_token="a.b.c"', ['a.b.c']],
    ['sluice_token=a=b', ['a=b']],
    ['sluice_token=first; sluice_token=second', ['first', 'second']],
    ['sluice_token=; sluice_token=second; a=b; sluice_token="third"', ['second', 'third']],
    ['sluice_token=same; sluice_token=same', ['same']],
    [[...eight, 'ninth'].map((token) => `sluice_token=${token}`).join('; '), eight],
    ['xsluice_token=a', []],
    ['sluice_tokenx=a', []],
    ['SLUICE_TOKEN=a', []],
    ['a=sluice_token=b', []],
    ['sluice_token = a ;\tsluice_token\t=\tb\t', ['a', 'b']],
  ])('%j are %j', (cookie, tokens) => {
    expect(cookieTokens(cookie, 'sluice_token')).toEqual(tokens);
  });

  test('under another name', () => {
    const cookie = 'sluice_token=a; __Host-sluice=b; __host-sluice=c';
    expect(cookieTokens(cookie, '__Host-sluice')).toEqual(['b']);
  });

  // A browser lets any host of the domain set these names: for the browser they do not begin with __Host-.
  test.each(['\u00a0', '\u0085', '\u000b', '\u000c', '\ufeff', '\u2000', '\u00c2\u00a0', '=', '"', ',', '$'])(
    'a name with %j before it is another cookie',
    (before) => {
      const cookie = `${before}__Host-sluice=evil; ${before} __Host-sluice=evil`;
      expect(cookieTokens(cookie, '__Host-sluice')).toEqual([]);
    },
  );
});

describe('a cookie counts', () => {
  const listed = new AllowedOrigins(['https://app.example.com', 'https://*.example.org', 'app://-']);
  const any = new AllowedOrigins(['*']);
  const host = 'sluice.example.com';

  test.each([
    ['from a client that is not a browser', { host }],
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
    ['from below a listed domain', { host, origin: 'https://a.b.example.org' }],
    ['from a listed app', { host, origin: 'app://-', 'sec-fetch-site': 'cross-site' }],
  ])('%s', (_from, headers) => {
    expect(isCookieAccepted(headers, listed)).toBe(true);
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
    expect(isCookieAccepted(headers, listed)).toBe(false);
    expect(isCookieAccepted(headers, any)).toBe(false);
  });
});
