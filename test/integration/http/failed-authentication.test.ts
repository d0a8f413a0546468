import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { readClosing } from '../../support/closing.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';

/** The default limit. */
const BY_DEFAULT = { SLUICE_FAILED_AUTH_LIMIT: '' };
const LIMIT = 60;
const STORM = 10_000;
const CONNECTIONS = 10;

const SECRET = 'a secret of more than thirty-two bytes';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    ...BY_DEFAULT,
    SLUICE_TRUSTED_PROXIES: '127.0.0.1',
    SLUICE_PUBLIC_CHANNELS: 'news',
    SLUICE_JWT_SECRET: SECRET,
  });
});
afterAll(() => broker.kill());

async function tokenFor(sub: string): Promise<string> {
  return await new SignJWT({ sub, sluice: { subscribe: ['private'] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET));
}

function expiredLongAgo(jti: string): string[] {
  return [`Authorization: Bearer ${signToken({ exp: 1_000, jti }, SECRET)}`];
}

async function publish(key: string, from: string): Promise<RawAnswer> {
  const headers = [`Authorization: Bearer ${key}`, `X-Forwarded-For: ${from}`, 'Content-Length: 1'];
  return await exchange(broker.port, { method: 'POST', path: '/publish/news', headers, body: 'x' });
}

async function subscribe(from: string, authorization: readonly string[]): Promise<RawAnswer> {
  const connection = await openRaw(broker.port);
  const headers = [...authorization, `X-Forwarded-For: ${from}`];
  connection.send(requestBytes({ path: '/events/private', headers }));
  const answer = await connection.answer();
  connection.close();
  return answer;
}

/** The series of the broker. Node's own series come and go with its sockets. */
function ownSeries(metrics: ReadonlyMap<string, number>): string[] {
  return [...metrics.keys()].filter((name) => name.startsWith('sluice_'));
}

describe('many requests with wrong keys', () => {
  test('get 401, then 429, and their cost does not grow', async () => {
    const before = await readMetrics(broker.url);
    const statuses = new Map<number, number>();
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, one) => {
        const connection = await openRaw(broker.port);
        for (let i = 0; i < STORM / CONNECTIONS; i++) {
          const headers = [
            `Authorization: Bearer storm-${one}-${i}`,
            'X-Forwarded-For: 198.51.100.1',
            'Content-Length: 1',
          ];
          connection.send(requestBytes({ method: 'POST', path: '/publish/news', headers, body: 'x' }));
          const { status } = await connection.answer();
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }
        connection.close();
      }),
    );
    // At most two windows, when a minute ends during the test.
    expect(new Set(statuses.keys())).toEqual(new Set([401, 429]));
    expect(statuses.get(401)).toBeGreaterThanOrEqual(LIMIT);
    expect(statuses.get(401)).toBeLessThanOrEqual(2 * LIMIT);

    const after = await readMetrics(broker.url);
    expect(ownSeries(after)).toEqual(ownSeries(before));
    expect(after.get('sluice_failed_authentications_total')).toBe(STORM);
    expect(after.get('sluice_requests_refused_total{reason="failed-authentication"}')).toBe(
      statuses.get(429),
    );
    expect((await exchange(broker.port, { path: '/livez' })).status).toBe(200);
    const lines = broker.log().filter((line) => line.includes('failed-authentication'));
    expect(lines.length).toBeGreaterThanOrEqual(1);
    // At most one line in ten seconds, and this test takes at most half a minute.
    expect(lines.length).toBeLessThanOrEqual(4);
    expect(broker.log().join('\n')).not.toContain('storm-');
  });

  test('do not block a right key from the same address, or any other address', async () => {
    expect((await publish(broker.key, '198.51.100.1')).status).toBe(200);
    expect(readProblem(await publish('wrong', '198.51.100.2'), 401).code).toBe('unauthorized');
  });

  test('get a 429 that says when to try again, and that a right key passes', async () => {
    for (let i = 0; i < LIMIT; i++) await publish('wrong', '198.51.100.3');
    const answer = await publish('wrong', '198.51.100.3');
    expect(readProblem(answer, 429).code).toBe('too-many-requests');
    expect(Number(answer.header('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(answer.header('retry-after'))).toBeLessThanOrEqual(60);
    expect(answer.header('www-authenticate')).toBeUndefined();
  });
});

describe('subscribing', () => {
  test('with wrong credentials is 401, and beyond the limit the client is asked to come back', async () => {
    const wrong = ['Authorization: Bearer wrong'];
    for (let i = 0; i < LIMIT; i++) expect((await subscribe('198.51.100.4', wrong)).status).toBe(401);
    const answer = await subscribe('198.51.100.4', wrong);
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(answer.header('content-length')).toMatch(/^\d+$/);
    const { reason, retry } = readClosing(answer.body);
    expect([reason, retry >= 5_000 && retry <= 15_000]).toEqual(['failed-authentication', true]);
    const metrics = await readMetrics(broker.url);
    expect(metrics.get('sluice_connections_refused_total{reason="failed-authentication"}')).toBe(1);
  });

  test('beyond the limit, a token that was verified before is accepted, and any other token is not verified', async () => {
    const [before, later] = await Promise.all(['before', 'later'].map((sub) => tokenFor(sub)));
    const from = '198.51.100.6';
    const head = { method: 'HEAD', path: '/events/private' };
    const ask = async (token: string | undefined): Promise<RawAnswer> =>
      await exchange(broker.port, {
        ...head,
        headers: [`Authorization: Bearer ${token}`, `X-Forwarded-For: ${from}`],
      });
    expect((await ask(before)).status).toBe(200);
    for (let i = 0; i < LIMIT; i++) expect((await ask(`a.b.${i}`)).status).toBe(401);
    expect((await ask(before)).status).toBe(200);
    expect((await ask(later)).status).toBe(429);
  });

  test('without credentials does not count as failed, and is 401 every time', async () => {
    for (let i = 0; i < LIMIT + 5; i++) expect((await subscribe('198.51.100.5', [])).status).toBe(401);
  });
});

test('publishing without credentials does not count as failed, and is 401 every time', async () => {
  const request = { method: 'POST', path: '/publish/news', headers: ['Content-Length: 0'] };
  for (let i = 0; i < LIMIT + 5; i++) expect((await exchange(broker.port, request)).status).toBe(401);
});

describe('a token with a valid signature does not count as a wrong credential', () => {
  const sluice = { subscribe: ['private', 'news'], publish: ['news'] };
  const others = { subscribe: ['other'], publish: ['other'] };

  const kinds: readonly (readonly [what: string, claims: object, publisher: number, subscriber: number])[] = [
    ['that has expired', { exp: inSeconds(-60), sluice }, 401, 401],
    ['that expired long ago', { exp: 0, sluice }, 401, 401],
    ['that is not valid yet', { nbf: inSeconds(3_000), exp: inSeconds(3_600), sluice }, 401, 401],
    ['that has an iat in the future', { iat: inSeconds(3_000), exp: inSeconds(3_600), sluice }, 401, 401],
    ['that is for other channels', { sluice: others }, 403, 403],
    ['that was revoked', { sub: 'revoked', iat: inSeconds(-1), sluice }, 401, 401],
  ];

  test.each(kinds)('%s', async (what, claims, publisher, subscriber) => {
    const revoked = await exchange(broker.port, {
      method: 'POST',
      path: '/disconnect',
      headers: [
        `Authorization: Bearer ${broker.key}`,
        'Content-Type: application/json',
        'Content-Length: 32',
      ],
      body: '{"sub":"revoked","revoke": true}',
    });
    expect(revoked.status).toBe(200);
    const from = `198.51.100.${20 + kinds.findIndex(([one]) => one === what)}`;
    const before = await readMetrics(broker.url);
    // Each token once and then again: remembered tokens must not count either.
    const tokens = Array.from({ length: LIMIT / 2 }, (_, i) => signToken({ ...claims, jti: `${i}` }, SECRET));
    for (const token of [...tokens, ...tokens, ...tokens]) {
      expect((await publish(token, from)).status).toBe(publisher);
      expect((await subscribe(from, [`Authorization: Bearer ${token}`])).status).toBe(subscriber);
    }
    // Another client behind the address is accepted with a token that is new to the broker.
    const good = await tokenFor(what);
    expect(
      (await subscribe(from, [`Authorization: Bearer ${good}`])).header('content-length'),
    ).toBeUndefined();
    const after = await readMetrics(broker.url);
    const failed = 'sluice_failed_authentications_total';
    expect(after.get(failed)).toBe(before.get(failed));
  });

  test('a token with another signature counts as wrong, whatever its times are', async () => {
    const from = '198.51.100.40';
    const wrong = signToken({ exp: inSeconds(-60), sluice }, `${SECRET}!`);
    for (let i = 0; i < LIMIT; i++) expect((await publish(wrong, from)).status).toBe(401);
    expect((await publish(wrong, from)).status).toBe(429);
  });

  test('a blocked address still hears that a recently refused token has expired', async () => {
    const from = '198.51.100.41';
    expect((await subscribe(from, expiredLongAgo('seen'))).status).toBe(401);
    for (let i = 0; i < LIMIT; i++) await publish('wrong', from);
    expect((await publish('wrong', from)).status).toBe(429);
    expect((await subscribe(from, expiredLongAgo('seen'))).status).toBe(401);
    // The signature of this token was never verified.
    expect((await subscribe(from, expiredLongAgo('not seen'))).status).toBe(200);
  });
});
