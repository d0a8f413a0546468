import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRequest } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer, RawRequest } from '../../support/raw-http.ts';

const LISTED = 'https://allowed.example';
const PORTED = 'http://localhost:5173';

let some: Broker;
let any: Broker;
let none: Broker;
beforeAll(async () => {
  const env = { SLUICE_PUBLIC_CHANNELS: 'news' };
  [some, any, none] = await Promise.all([
    startBroker({ ...env, SLUICE_CORS_ORIGINS: `${LISTED}, ${PORTED}` }),
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

/** Every kind of answer there is. */
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

describe('a listed origin is echoed, with credentials', () => {
  test.each(cases)('$status: $what', async (one) => {
    for (const origin of [LISTED, PORTED]) {
      const answer = await ask(some, one, `Origin: ${origin}`);
      expect(answer.status).toBe(one.status);
      expect(corsOf(answer)).toEqual({ origin, credentials: 'true' });
      expect(answer.header('vary')).toMatch(/\borigin\b/i);
    }
  });
});

describe('an origin that is not listed gets nothing', () => {
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

test.each(cases)('* is answered as such and never with credentials: $what', async (one) => {
  for (const origin of [LISTED, 'null']) {
    const answer = await ask(any, one, `Origin: ${origin}`, 'Cookie: session=x');
    expect(answer.status).toBe(one.status);
    expect(corsOf(answer)).toEqual({ origin: '*' });
  }
});

test.each(cases)('nothing where no origin is configured: $what', async (one) => {
  const answer = await ask(none, one, `Origin: ${LISTED}`);
  expect(answer.status).toBe(one.status);
  expect(answer.headers.filter(([name]) => name.toLowerCase().startsWith('access-control-'))).toEqual([]);
});

describe('a preflight is answered without credentials of its own', () => {
  const rows = [
    { method: 'POST', path: '/publish', asked: 'authorization,content-type,idempotency-key' },
    { method: 'POST', path: '/publish/news', asked: 'authorization' },
    { method: 'GET', path: '/events/news', asked: 'authorization,last-event-id' },
    { method: 'GET', path: '/events/private', asked: 'last-event-id' },
  ];

  test.each(rows)('$method $path, $asked', async ({ method, path, asked }) => {
    const headers = [`Access-Control-Request-Method: ${method}`, `Access-Control-Request-Headers: ${asked}`];
    const answers = {
      some: await exchange(some.port, {
        method: 'OPTIONS',
        path,
        headers: [`Origin: ${LISTED}`, ...headers],
      }),
      any: await exchange(any.port, { method: 'OPTIONS', path, headers: ['Origin: null', ...headers] }),
    };
    for (const answer of Object.values(answers)) {
      expect(answer.status).toBe(204);
      expect(answer.header('access-control-allow-methods')?.split(', ')).toContain(method);
      expect(answer.header('access-control-allow-headers')?.toLowerCase().split(', ').toSorted()).toEqual([
        'authorization',
        'content-type',
        'idempotency-key',
        'last-event-id',
      ]);
    }
    expect(corsOf(answers.some)).toEqual({ origin: LISTED, credentials: 'true' });
    expect(corsOf(answers.any)).toEqual({ origin: '*' });
  });
});
