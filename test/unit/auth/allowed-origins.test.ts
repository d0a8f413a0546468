import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AllowedOrigins } from '../../../src/auth/allowed-origins.ts';
import { parseOriginPattern } from '../../../src/auth/origin-pattern.ts';

const EXACT = [
  'https://app.example.com',
  'http://localhost:5173',
  'http://tauri.localhost',
  'https://[::1]:3000',
  'capacitor://localhost',
  'ionic://localhost',
  'tauri://localhost',
  'app://obsidian.md',
  'app://-',
  'app://.',
  'vscode-webview://1abc',
  'chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb',
  'moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc',
  'safari-web-extension://A52F0B76-1B8E-4A0C-9B0E-0123456789AB',
  'custom+scheme.x-1://host:8080',
];

describe('a single origin lists itself and no other', () => {
  test.each(EXACT)('%s', (origin) => {
    const allowed = new AllowedOrigins([origin]);
    expect(allowed.lists(origin)).toBe(true);
    for (const other of [
      ...EXACT.filter((one) => one !== origin),
      `${origin}/`,
      `${origin}:1`,
      `${origin}.evil`,
    ])
      expect(allowed.lists(other)).toBe(false);
  });
});

describe('a pattern with * as its first label lists the hosts below the domain', () => {
  const below = new AllowedOrigins(['https://*.example.com', 'http://*.dev.example.org:8080']);

  test.each([
    'https://a.example.com',
    'https://a.b.c.example.com',
    'https://a-b_c.example.com',
    'https://xn--bcher-kva.example.com',
    'http://x.dev.example.org:8080',
  ])('%s', (origin) => {
    expect(below.lists(origin)).toBe(true);
  });

  test.each([
    'https://example.com',
    'https://.example.com',
    'https://a..example.com',
    'https://.a.example.com',
    'https://evilexample.com',
    'https://example.com.evil.net',
    'https://a.example.com.evil.net',
    'https://evil.net/.example.com',
    'https://evil.net#.example.com',
    'https://evil.net?.example.com',
    'https://evil.net:1.example.com',
    'https://evil.net\\.example.com',
    'https://x@a.example.com',
    'https://a.example.com:8443',
    'https://a.example.com/',
    'http://a.example.com',
    'HTTPS://a.example.com',
    'https://A.example.com',
    'https://*.example.com',
    'https://a b.example.com',
    'https://\u0430.example.com',
    'http://x.dev.example.org',
    'http://dev.example.org:8080',
    'http://x.dev.example.org:80801',
    `https://${'a.'.repeat(300)}example.com`,
    'null',
    '',
    '*',
  ])('not %s', (origin) => {
    expect(below.lists(origin)).toBe(false);
  });
});

describe('is not a valid pattern', () => {
  test.each([
    '',
    'null',
    '*',
    'localhost',
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://app.example.com:443',
    'https://APP.example.com',
    'https://user@app.example.com',
    'https://*',
    'https://*.com',
    'https://*.localhost:3000',
    'https://*.1.2.3.4',
    'https://*.example.com:443',
    'https://*.example.com/',
    'https://*.example.com.',
    'https://*.EXAMPLE.com',
    'https://*example.com',
    'https://a.*.example.com',
    'https://a*.example.com',
    'https://*.*.example.com',
    'https://**.example.com',
    '*://app.example.com',
    '*.example.com',
    'capacitor://',
    'capacitor://*',
    'capacitor://localhost/',
    'capacitor://Localhost',
    'Capacitor://localhost',
    'chrome-extension://*',
    'file://',
    'file://host',
    'ws://app.example.com',
    'wss://app.example.com',
    'data:text/html,x',
    'blob:https://app.example.com',
    'javascript://x',
    'app:-',
    `app://${'a'.repeat(600)}`,
  ])('%j', (text) => {
    expect(parseOriginPattern(text)).toBeUndefined();
    const allowed = new AllowedOrigins([text]);
    expect(allowed.lists(text)).toBe(false);
  });
});

test('* allows every page to read, and lists no origin', () => {
  const any = new AllowedOrigins(['*']);
  expect(any.any).toBe(true);
  for (const origin of [...EXACT, 'null', '*', undefined]) expect(any.lists(origin)).toBe(false);
});

test("every origin that a pattern lists has a host that ends in the pattern's domain", () => {
  const allowed = new AllowedOrigins(['https://*.example.com']);
  const part = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 8 }),
    fc.constantFrom('.', '/', '@', ':', '#', '?', '\\', 'a', 'evil.net', '%2e', '\n', '\t', '.example.com'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const origin = `https://${parts.join('')}.example.com`;
      if (!allowed.lists(origin)) return;
      const url = new URL(origin);
      expect(url.origin).toBe(origin);
      expect(url.hostname.endsWith('.example.com')).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});
