import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { inSeconds } from '../../support/sign-token.ts';
import { openStream } from '../../support/sse-reader.ts';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_SECRET: 'a secret of more than thirty-two bytes',
    SLUICE_JWT_ISSUER: 'https://broker.example.com',
    SLUICE_JWT_AUDIENCE: 'sluice',
  });
});
afterAll(() => broker.kill());

const make = (body: unknown): Promise<RawAnswer> =>
  publishRaw(broker, { path: '/tokens', body: typeof body === 'string' ? body : JSON.stringify(body) });

async function made(
  body: object,
): Promise<{ token: string; expires: number; claims: Record<string, unknown> }> {
  const answer = await make(body);
  expect({ status: answer.status, type: answer.header('content-type') }).toEqual({
    status: 200,
    type: 'application/json',
  });
  expect(answer.header('cache-control')).toBe('no-store');
  const { token, expires, ...rest } = JSON.parse(answer.body) as { token: string; expires: number };
  expect(rest).toEqual({});
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  return { token, expires, claims: claims as Record<string, unknown> };
}

/** Sends the head of a request whose body never comes. */
const postHead = (headers: readonly string[]): Promise<RawAnswer> =>
  exchange(broker.port, {
    method: 'POST',
    path: '/tokens',
    headers: [...headers, 'Content-Length: 1000000000'],
  });

const many = (count: number, length = 1): string[] =>
  Array.from({ length: count }, (_, i) => String(i).padStart(length, 'c'));

describe('a token made by the broker', () => {
  test('is accepted for what it grants', async () => {
    const { token } = await made({ subscribe: ['user.7'], publish: ['inbox'], ttl: 300, sub: '7' });
    const stream = await openStream(`${broker.url}/events/user.7`, {
      headers: { cookie: `sluice_token=${token}` },
    });
    await stream.until('sluice:ready');
    await broker.publish('user.7', 'hello');
    expect((await stream.next()).data).toBe('hello');
    stream.close();
    const headers = [`Authorization: Bearer ${token}`, 'Content-Length: 1'];
    const post = (path: string): Promise<RawAnswer> =>
      exchange(broker.port, { method: 'POST', path, headers, body: 'x' });
    expect((await post('/publish/inbox')).status).toBe(200);
    expect((await post('/publish/user.7')).status).toBe(403);
    const other = await exchange(broker.port, { path: '/events/user.8', headers: headers.slice(0, 1) });
    expect(other.status).toBe(403);
  });

  test('has the requested claims, the issuer and the time', async () => {
    const { claims, expires } = await made({ subscribe: ['user.7'], ttl: 300, sub: '7' });
    expect(claims).toEqual({
      sluice: { subscribe: ['user.7'], publish: [] },
      sub: '7',
      iss: 'https://broker.example.com',
      aud: 'sluice',
      iat: expires - 300,
      exp: expires,
      jti: expect.stringMatching(/^[\da-f-]{36}$/) as string,
    });
    expect(Math.abs(expires - inSeconds(300))).toBeLessThan(30);
  });

  test('may look in and do nothing else', async () => {
    const { claims } = await made({ admin: true });
    expect(claims['sluice']).toEqual({ subscribe: [], publish: [], admin: true });
  });

  test('is valid for an hour and has no subject by default', async () => {
    const { claims, expires } = await made({ publish: ['a*'] });
    expect(expires - Number(claims['iat'])).toBe(3_600);
    expect(claims).not.toHaveProperty('sub');
    expect((await made({ subscribe: ['a'], ttl: 1 })).claims).toBeDefined();
    expect((await made({ subscribe: ['a'], ttl: 2_592_000 })).claims).toBeDefined();
  });
});

describe('only a publish key makes tokens', () => {
  test.each([
    ['nothing', []],
    ['another key', ['Authorization: Bearer another']],
    ['a bad token', ['Authorization: Bearer a.b.c']],
    ['a key in a cookie', ['Cookie: sluice_token=the-key-of-the-tests']],
  ])('%s is refused with 401, before the body is read', async (_what, headers) => {
    expect(readProblem(await postHead(headers), 401).code).toBe('unauthorized');
  });

  test('a valid token is refused with 403', async () => {
    const { token } = await made({ subscribe: ['*'], publish: ['*'] });
    expect(readProblem(await postHead([`Authorization: Bearer ${token}`]), 403).code).toBe('forbidden');
  });

  test('and the broker needs a secret to sign with', async () => {
    const without = await startBroker();
    const body = '{"subscribe":["a"]}';
    const answer = await publishRaw(without, { path: '/tokens', body });
    expect(readProblem(answer, 501)).toMatchObject({
      code: 'tokens-unavailable',
      detail: expect.stringContaining('SLUICE_JWT_SECRET') as string,
    });
    await without.kill();
  });
});

describe('an unreadable request is refused with 400, which points to the faults', () => {
  test.each<readonly [body: unknown, pointers: readonly string[]]>([
    ['', ['']],
    ['{', ['']],
    ['[]', ['']],
    ['null', ['']],
    ['"user.7"', ['']],
    ['[{"subscribe":["a"]}]', ['']],
    [{}, ['']],
    [{ subscribe: [], publish: [] }, ['']],
    [{ sub: '7' }, ['']],
    [{ admin: false }, ['']],
    ...[1, 'true', null, []].map((admin) => [{ admin }, ['/admin']] as const),
    [{ subscribe: 'a' }, ['/subscribe']],
    [{ subscribe: null }, ['/subscribe']],
    [{ subscribe: ['a', '**'] }, ['/subscribe/1']],
    [{ subscribe: ['a*b', ''], publish: [7] }, ['/subscribe/0', '/subscribe/1', '/publish/0']],
    [{ subscribe: many(101) }, ['/subscribe']],
    [{ subscribe: many(100, 200) }, ['']],
    ...[0, -1, 1.5, 2_592_001, '300', '5m', null, true].map(
      (ttl) => [{ subscribe: ['a'], ttl }, ['/ttl']] as const,
    ),
    ...['', 'x'.repeat(201), 'a\nb', 'a\0b', 7, null, '\ud800'].map(
      (sub) => [{ subscribe: ['a'], sub }, ['/sub']] as const,
    ),
    [{ subscribe: ['a'], exp: 1, 'a/b': 1 }, ['/exp', '/a~1b']],
    [{ subscribe: ['a'], iss: 'x' }, ['/iss']],
  ])('%j', async (body, pointers) => {
    expect(readProblem(await make(body), 400)).toMatchObject({ code: 'invalid-body', pointers });
  });

  test('or with 415, or with 405', async () => {
    const text = await publishRaw(broker, { path: '/tokens', contentType: 'text/plain', body: '{}' });
    expect(text.status).toBe(415);
    const get = await exchange(broker.port, { path: '/tokens' });
    expect(get.header('allow')).toBe('POST, OPTIONS');
  });
});

async function tokenOf(of: Broker): Promise<string> {
  const response = await fetch(`${of.url}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${of.key}`, 'content-type': 'application/json' },
    body: '{"subscribe":["orders"]}',
  });
  return ((await response.json()) as { token: string }).token;
}

async function statuses(of: Broker, tokens: readonly string[]): Promise<number[]> {
  return await Promise.all(
    tokens.map(async (token) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`${of.url}/events/orders`, { method: 'HEAD', headers })).status;
    }),
  );
}

test('a secret can be changed without an effect on subscribers', async () => {
  const [old, next] = [
    'the old secret of thirty-two bytes or so',
    'the next secret of thirty-two bytes or so',
  ];
  const steps = [old, `${old},${next}`, `${next},${old}`, next];
  const [before, both, turned, after] = await Promise.all(
    steps.map((secrets) => startBroker({ SLUICE_JWT_SECRET: secrets })),
  );
  if (!before || !both || !turned || !after) throw new Error('a broker is missing');
  const [first = '', second = '', third = ''] = await Promise.all([before, both, turned].map(tokenOf));
  // Replicas of neighbouring steps accept each other's tokens.
  expect(await statuses(before, [first, second])).toEqual([200, 200]);
  expect(await statuses(both, [first, second, third])).toEqual([200, 200, 200]);
  expect(await statuses(turned, [first, second, third])).toEqual([200, 200, 200]);
  expect(await statuses(after, [first, second, third])).toEqual([401, 401, 200]);
  await Promise.all([before, both, turned, after].map((one) => one.kill()));
});
