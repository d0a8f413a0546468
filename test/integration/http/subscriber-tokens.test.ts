import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readMetrics } from '../../support/read-metrics.ts';
import { readProblem } from '../../support/read-problem.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';

const SECRET = 'a secret of more than thirty-two bytes';
const LISTED = 'https://app.example.com';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_PUBLIC_CHANNELS: 'news',
    SLUICE_CORS_ORIGINS: LISTED,
    SLUICE_RETRY: '500ms',
  });
});
afterAll(() => broker.kill());

const grants = signToken({ sluice: { subscribe: ['orders.*'] } }, SECRET);
const grantsOther = signToken({ sluice: { subscribe: ['other'], publish: ['orders.1'] } }, SECRET);
const expired = signToken({ exp: inSeconds(-60), sluice: { subscribe: ['*'] } }, SECRET);

/** Sends HEAD, which gives GET's answer without a stream. */
async function ask(path: string, ...headers: string[]): Promise<RawAnswer> {
  const answer = await exchange(broker.port, { method: 'HEAD', path: `/events/${path}`, headers });
  return answer;
}

async function refused(status: number, path: string, ...headers: string[]): Promise<string> {
  expect((await ask(path, ...headers)).status).toBe(status);
  const answer = await exchange(broker.port, { path: `/events/${path}`, headers });
  const { code, detail } = readProblem(answer, status);
  expect(code).toBe(status === 401 ? 'unauthorized' : 'forbidden');
  expect(answer.header('www-authenticate')).toBe(status === 401 ? 'Bearer realm="sluice"' : undefined);
  expect(answer.body).not.toContain('eyJ');
  return detail;
}

describe('a token subscribes', () => {
  test.each([
    ['in the Authorization header', {}, { authorization: `Bearer ${grants}` }],
    ['in the cookie', {}, { cookie: `a=b; sluice_token=${grants}` }],
    ['in the query', { token: grants }, {}],
  ])('%s', async (_where, query, headers) => {
    const url = `${broker.url}/events/orders.1?${new URLSearchParams(query).toString()}`;
    // The second time, the broker remembers the token.
    for (const time of [1, 2]) {
      const stream = await openStream(url, { headers: { ...headers } });
      expect(stream.status).toBe(200);
      await stream.until('sluice:ready');
      const id = await broker.publish('orders.1', time);
      expect(await stream.next()).toEqual({ id, event: undefined, data: String(time) });
      stream.close();
    }
  });

  test("that grants a name, a prefix or everything, also in Mercure's form", async () => {
    for (const claims of [
      { sluice: { subscribe: ['orders.1'] } },
      { sluice: { subscribe: ['x', 'ord*'] } },
      { sluice: { subscribe: ['*'] } },
      { mercure: { subscribe: ['orders.*'] } },
    ])
      expect((await ask('orders.1', `Authorization: Bearer ${signToken(claims, SECRET)}`)).status).toBe(200);
  });

  test('from the header before the cookie before the query', async () => {
    const cookie = `Cookie: sluice_token=${grants}`;
    expect((await ask('orders.1', `Authorization: Bearer ${grantsOther}`, cookie)).status).toBe(403);
    expect((await ask(`orders.1?token=${grantsOther}`, cookie)).status).toBe(200);
    expect((await ask(`orders.1?token=${grants}`, `Cookie: sluice_token=${grantsOther}`)).status).toBe(403);
    // Credentials for another server, such as a proxy.
    expect((await ask('orders.1', 'Authorization: Basic eA==', cookie)).status).toBe(200);
  });
});

describe('a cookie is accepted', () => {
  const cookie = `Cookie: sluice_token=${grants}`;

  test.each([
    ['from our own page', 'Sec-Fetch-Site: same-origin'],
    ['from our own origin', 'Origin: http://broker.test'],
    ['from a listed origin', `Origin: ${LISTED}`],
  ])('%s', async (_from, header) => {
    expect((await ask('orders.1', cookie, header)).status).toBe(200);
  });

  test.each([
    'https://evil.example',
    'null',
    'https://app.example.com.evil.example',
    'https://evil-app.example.com',
    'http://app.example.com',
    'https://app.example.com:8443',
  ])('not from %s, and the refusal says so', async (origin) => {
    const detail = await refused(403, 'orders.1', cookie, `Origin: ${origin}`);
    expect(detail).toContain('cookie');
    expect(detail).toContain('SLUICE_CORS_ORIGINS');
    // The cookie counts as absent, so other credentials may be accepted.
    expect((await ask('news', cookie, `Origin: ${origin}`)).status).toBe(200);
    expect((await ask(`orders.1?token=${grants}`, cookie, `Origin: ${origin}`)).status).toBe(200);
  });
});

function cookies(...tokens: readonly string[]): string {
  return `Cookie: ${tokens.map((token) => `sluice_token=${token}`).join('; ')}`;
}

function fresh(jti: string): string {
  return signToken({ jti, sub: '7', sluice: { subscribe: ['orders.*'] } }, SECRET);
}

function forged(jti: string): string {
  return signToken({ jti, sluice: { subscribe: ['*'] } }, 'x');
}

async function failures(): Promise<number> {
  return (await readMetrics(broker.url)).get('sluice_failed_authentications_total') ?? 0;
}

describe('with several cookies the broker tries each', () => {
  test.each([
    ['an expired one', [expired, fresh('a')]],
    ['one that grants another channel', [grantsOther, fresh('b')]],
    ['one that is wrong', [forged('c'), fresh('c')]],
    ['texts that are no tokens', ['x', '""', 'a.b.c', fresh('d')]],
    ['seven wrong ones', Array.from('1234567', (jti) => forged(jti)).concat(fresh('e'))],
    ['nothing, and others follow', [fresh('f'), expired, 'x']],
  ])('after %s', async (_what, tokens) => {
    // The second time, the broker remembers the tokens.
    for (let time = 1; time <= 2; time++)
      expect((await ask('orders.1', cookies(...tokens))).status).toBe(200);
  });

  test('but at most eight of them', async () => {
    const nine = Array.from('12345678', (jti) => forged(jti)).concat(fresh('g'));
    expect((await ask('orders.1', cookies(...nine))).status).toBe(401);
  });

  test.each([
    ['all are wrong', 401, 'signature', [forged('h'), forged('i')]],
    ['one has expired, and says more', 401, 'expired', [forged('h'), expired, forged('i')]],
    ['one grants another channel, and says more', 403, 'orders.1', [expired, grantsOther, forged('h')]],
  ] as const)('%s', async (_what, status, fault, tokens) => {
    expect(await refused(status, 'orders.1', cookies(...tokens))).toContain(fault);
  });

  test('and counts the request as failed once, or not at all when one of them is good', async () => {
    const before = await failures();
    expect((await ask('orders.1', cookies(...Array.from('1234567', (jti) => forged(jti))))).status).toBe(401);
    expect((await failures()) - before).toBe(1);
    expect((await ask('orders.1', cookies(forged('j'), grantsOther))).status).toBe(403);
    expect((await failures()) - before).toBe(2);
    expect((await ask('orders.1', cookies(forged('k'), fresh('k')))).status).toBe(200);
    expect((await ask('orders.1', cookies(expired, grantsOther))).status).toBe(403);
    expect((await failures()) - before).toBe(2);
  });
});

describe('a subscriber without a valid token gets 401', () => {
  test.each([
    ['without one', 'orders.1', [], 'Send a token'],
    ['with an empty one', 'orders.1?token=', ['Cookie: sluice_token='], 'Send a token'],
    ['with one that has expired', 'orders.1', [`Authorization: Bearer ${expired}`], 'expired'],
    ['with one that has expired, in the cookie', 'orders.1', [`Cookie: sluice_token=${expired}`], 'expired'],
    ['with one that has expired, in the query', `orders.1?token=${expired}`, [], 'expired'],
    [
      'with one that is signed by another',
      'orders.1',
      [`Authorization: Bearer ${signToken({}, 'x')}`],
      'signature',
    ],
    ['with a publish key', 'orders.1', ['Authorization: Bearer the-key-of-the-tests'], 'JWT'],
    ['on a public channel, too', 'news', [`Authorization: Bearer ${expired}`], 'expired'],
    ['on a public channel, by the query', `news?token=${expired}`, [], 'expired'],
  ])('%s', async (_how, path, headers, fault) => {
    expect(await refused(401, path, ...headers)).toContain(fault);
  });

  test('but an expired cookie does not refuse a public channel', async () => {
    expect((await ask('news', `Cookie: sluice_token=${expired}`)).status).toBe(200);
  });

  test('a repeated token parameter is a 400', async () => {
    const answer = await exchange(broker.port, { path: `/events/orders.1?token=${grants}&token=${grants}` });
    expect(readProblem(answer, 400).code).toBe('invalid-query');
  });
});

describe('a valid token that does not grant the channel gets 403', () => {
  test.each([
    ['header', 'orders.1', [`Authorization: Bearer ${grantsOther}`]],
    ['cookie', 'orders.1', [`Cookie: sluice_token=${grantsOther}`]],
    ['query', `orders.1?token=${grantsOther}`, []],
    ['a prefix with more than itself', 'orders', [`Authorization: Bearer ${grants}`]],
    ['another case', 'ORDERS.1', [`Authorization: Bearer ${grants}`]],
  ])('%s', async (_how, path, headers) => {
    expect(await refused(403, path, ...headers)).toContain(path.split('?')[0]);
  });

  test('but a public channel needs no grant', async () => {
    expect((await ask('news', `Authorization: Bearer ${grantsOther}`)).status).toBe(200);
    expect((await ask('news')).status).toBe(200);
  });
});

describe('a stream ends when its token expires', () => {
  test('after a whole event, with a sluice:closing, and is counted', async () => {
    const before = await readMetrics(broker.url);
    const exp = inSeconds(2);
    const token = signToken({ exp, sluice: { subscribe: ['orders.*'] } }, SECRET);
    const stream = await openStream(`${broker.url}/events/orders.1?token=${token}`);
    const lasting = await openStream(`${broker.url}/events/orders.1?token=${grants}`);
    await Promise.all([stream, lasting].map((one) => one.until('sluice:ready')));
    await stream.ended;
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
    expect(stream.retries).toHaveLength(2);
    const after = await readMetrics(broker.url);
    const series = 'sluice_connections_closed_total{reason="expired"}';
    expect((after.get(series) ?? 0) - (before.get(series) ?? 0)).toBe(1);
    const id = await broker.publish('orders.1', 'still here');
    expect((await lasting.next()).id).toBe(id);
    lasting.close();
  });
});

test("the cookie's name can be set, and the refusal and the API document mention it", async () => {
  const named = await startBroker({ SLUICE_JWT_SECRET: SECRET, SLUICE_TOKEN_COOKIE: '__Host-sluice' });
  const head = async (cookie: string): Promise<number> =>
    (
      await exchange(named.port, {
        method: 'HEAD',
        path: '/events/orders.1',
        headers: [`Cookie: ${cookie}`],
      })
    ).status;
  expect(await head(`__Host-sluice=${grants}`)).toBe(200);
  expect(await head(`sluice_token=${grants}`)).toBe(401);
  const headers = [`Cookie: __Host-sluice=${grants}`, 'Origin: https://other.example'];
  const refusal = await exchange(named.port, { path: '/events/orders.1', headers });
  expect(readProblem(refusal, 403).detail).toContain('__Host-sluice');
  const { body } = await exchange(named.port, { path: '/openapi.json' });
  expect(body).toContain('"name":"__Host-sluice"');
  expect(body).not.toContain('sluice_token');
  await named.kill();
});
