import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer, RawRequest } from '../../support/raw-http.ts';

const LISTED = 'https://allowed.example';
const PORTED = 'http://localhost:5173';
const APP = 'capacitor://localhost';
const BELOW = 'https://a.b.below.example';

let some: Broker;
let any: Broker;
let none: Broker;
beforeAll(async () => {
  const env = { SLUICE_PUBLIC_CHANNELS: 'news' };
  [some, any, none] = await Promise.all([
    startBroker({ ...env, SLUICE_CORS_ORIGINS: [LISTED, PORTED, APP, 'https://*.below.example'].join(', ') }),
    startBroker({ ...env, SLUICE_CORS_ORIGINS: '*' }),
    startBroker(env),
  ]);
});
afterAll(() => Promise.all([some.kill(), any.kill(), none.kill()]));

interface Case {
  readonly what: string;
  readonly status: number;
  readonly request: (broker: Broker) => RawRequest;
}

/** Every kind of answer. */
const cases: readonly Case[] = [
  { what: 'a stream', status: 200, request: () => ({ path: '/events/news' }) },
  { what: 'the head of a stream', status: 200, request: () => ({ method: 'HEAD', path: '/events/news' }) },
  {
    what: 'a publish',
    status: 200,
    request: (broker) => publishRequest(broker, { path: '/publish/news', body: 'x' }),
  },
  { what: 'a bad channel', status: 400, request: () => ({ path: '/events/a%20b' }) },
  { what: 'bad percent-encoding', status: 400, request: () => ({ path: '/events/%zz' }) },
  { what: 'a bad query', status: 400, request: () => ({ path: '/events/news?last=x' }) },
  { what: 'a bad body', status: 400, request: (broker) => publishRequest(broker, { body: '{' }) },
  { what: 'a stream that is not public', status: 401, request: () => ({ path: '/events/private' }) },
  { what: 'a publish without a key', status: 401, request: () => ({ method: 'POST', path: '/publish' }) },
  { what: 'an unknown path', status: 404, request: () => ({ path: '/nothing' }) },
  { what: 'another method', status: 405, request: () => ({ method: 'PUT', path: '/events/news' }) },
  {
    what: 'a body that is too large',
    status: 413,
    request: (broker) => publishRequest(broker, { body: 'x'.repeat(1024 * 1024 + 1) }),
  },
  {
    what: 'another content type',
    status: 415,
    request: (broker) => publishRequest(broker, { contentType: 'text/plain', body: 'x' }),
  },
];

async function ask(broker: Broker, { request }: Case, ...headers: readonly string[]): Promise<RawAnswer> {
  const asked = request(broker);
  return await exchange(broker.port, { ...asked, headers: [...(asked.headers ?? []), ...headers] });
}

function corsOf(answer: RawAnswer): Record<string, string | undefined> {
  return {
    origin: answer.header('access-control-allow-origin'),
    credentials: answer.header('access-control-allow-credentials'),
  };
}

describe('a listed origin is echoed, and credentials are allowed', () => {
  test.each(cases)('$status: $what', async (one) => {
    for (const origin of [LISTED, PORTED, APP, BELOW]) {
      const answer = await ask(some, one, `Origin: ${origin}`);
      expect(answer.status).toBe(one.status);
      expect(corsOf(answer)).toEqual({ origin, credentials: 'true' });
      expect(answer.header('vary')).toMatch(/\borigin\b/i);
    }
  });
});

describe('an origin that is not listed gets no CORS header', () => {
  test.each(cases)('$status: $what', async (one) => {
    const answer = await ask(some, one, 'Origin: https://other.example');
    expect(answer.status).toBe(one.status);
    expect(corsOf(answer)).toEqual({});
    expect(answer.header('vary')).toMatch(/\borigin\b/i);
  });

  test.each([
    'null',
    'https://allowed.example.evil',
    'https://evil-allowed.example',
    'https://sub.allowed.example',
    'https://allowed.example:8443',
    'https://allowed.example:443',
    'http://allowed.example',
    'https://allowed.example/',
    'https://ALLOWED.example',
    'https://allowed.example@evil.example',
    'https://allowed.example, https://evil.example',
    'http://localhost',
    'http://localhost:5174',
    'http://127.0.0.1:5173',
    '*',
    '',
  ])('%o', async (origin) => {
    for (const method of ['GET', 'OPTIONS']) {
      const headers = [`Origin: ${origin}`, 'Access-Control-Request-Method: GET'];
      const answer = await exchange(some.port, { method, path: '/events/news', headers });
      expect(corsOf(answer)).toEqual({});
      expect(answer.header('access-control-allow-methods')).toBeUndefined();
      expect(answer.header('access-control-allow-headers')).toBeUndefined();
    }
  });
});

test.each(cases)('with *, the answer is * and credentials are never allowed: $what', async (one) => {
  for (const origin of [LISTED, 'null']) {
    const answer = await ask(any, one, `Origin: ${origin}`, 'Cookie: session=x');
    expect(answer.status).toBe(one.status);
    expect(corsOf(answer)).toEqual({ origin: '*' });
  }
});

test.each(cases)('without configured origins there is no CORS header: $what', async (one) => {
  const answer = await ask(none, one, `Origin: ${LISTED}`);
  expect(answer.status).toBe(one.status);
  expect(answer.headers.filter(([name]) => name.toLowerCase().startsWith('access-control-'))).toEqual([]);
});

describe('a preflight needs no credentials, and may ask for any headers', () => {
  const rows = [
    { method: 'POST', path: '/publish', asked: 'authorization,content-type,idempotency-key' },
    { method: 'POST', path: '/publish/news', asked: 'authorization' },
    { method: 'GET', path: '/events/news', asked: 'authorization,last-event-id' },
    { method: 'GET', path: '/events/private', asked: 'last-event-id' },
    { method: 'GET', path: '/events/news', asked: 'cache-control, traceparent,baggage ,sentry-trace' },
    { method: 'GET', path: '/events/news', asked: 'x-requested-with' },
  ];

  test.each(rows)('$method $path, $asked', async ({ method, path, asked }) => {
    const headers = [`Access-Control-Request-Method: ${method}`, `Access-Control-Request-Headers: ${asked}`];
    const preflight = async (broker: Broker, origin: string): Promise<RawAnswer> =>
      await exchange(broker.port, { method: 'OPTIONS', path, headers: [`Origin: ${origin}`, ...headers] });
    for (const [broker, origin, cors] of [
      [some, LISTED, { origin: LISTED, credentials: 'true' }],
      [some, APP, { origin: APP, credentials: 'true' }],
      [some, BELOW, { origin: BELOW, credentials: 'true' }],
      [any, 'null', { origin: '*' }],
    ] as const) {
      const answer = await preflight(broker, origin);
      expect(answer.status).toBe(204);
      expect(answer.header('access-control-allow-methods')?.split(', ')).toContain(method);
      expect(answer.header('access-control-allow-headers')).toBe(asked);
      expect(answer.header('vary')?.toLowerCase()).toContain('access-control-request-headers');
      expect(corsOf(answer)).toEqual(cors);
    }
    // An origin that is not listed gets no CORS header.
    const refused = await preflight(some, 'https://below.example');
    expect(refused.header('access-control-allow-headers')).toBeUndefined();
    expect(corsOf(refused)).toEqual({});
  });

  test.each([
    ['', 'nothing'],
    ['a b', 'a blank in a name'],
    ['authorization,', 'an empty name'],
    ['authorization;x', 'another separator'],
    ['x: y', 'a value'],
    ['<script>', 'markup'],
    ['"x"', 'quotes'],
    [`x${',x'.repeat(3_000)}`, '6,000 characters'],
  ])('but a malformed list of names is not repeated: %j (%s)', async (asked) => {
    const headers = [
      `Origin: ${LISTED}`,
      'Access-Control-Request-Method: GET',
      `Access-Control-Request-Headers: ${asked}`,
    ];
    for (const broker of [some, any]) {
      const answer = await exchange(broker.port, { method: 'OPTIONS', path: '/events/news', headers });
      expect(answer.status).toBe(204);
      expect(answer.header('access-control-allow-headers')).toBe(
        'Authorization, Last-Event-ID, Content-Type, Idempotency-Key',
      );
    }
  });
});
