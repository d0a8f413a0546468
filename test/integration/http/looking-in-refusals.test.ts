import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { publishRaw } from '../../support/publish-raw.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { signToken } from '../../support/sign-token.ts';

const SECRET = 'a secret of more than thirty-two bytes';

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET });
});
afterAll(() => broker?.kill());

const tokenFor = (sluice: object, sub = 'someone'): string =>
  signToken({ sub, iat: 1_700_000_000, sluice }, SECRET);

const get = (path: string, credential = broker.key): Promise<RawAnswer> =>
  exchange(broker.port, {
    path,
    headers: credential === '' ? [] : [`Authorization: Bearer ${credential}`],
  });

const disconnect = async (body: object): Promise<void> => {
  const answer = await publishRaw(broker, { path: '/disconnect', body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
};

describe('who may look in', () => {
  const paths = ['/channels', '/channels?busiest=3', '/channels/a', '/channels/a/subscribers', '/status'];

  test.each(paths)('%s: an admin token, and nobody else', async (path) => {
    expect((await get(path, tokenFor({ admin: true }))).status).toBe(200);
    for (const others of [{}, { admin: false }, { subscribe: ['*'], publish: ['*'] }])
      expect(readProblem(await get(path, tokenFor(others)), 403)).toMatchObject({
        code: 'forbidden',
        detail: expect.stringContaining('"admin": true') as string,
      });
    for (const credential of ['', 'another-key', tokenFor({ admin: 'yes' }), `${tokenFor({ admin: true })}x`])
      expect(readProblem(await get(path, credential), 401).code).toBe('unauthorized');
    const cookie = [`Cookie: sluice_token=${tokenFor({ admin: true })}`];
    expect((await exchange(broker.port, { path, headers: cookie })).status).toBe(401);
    expect(
      (
        await exchange(broker.port, {
          path: `${path}${path.includes('?') ? '&' : '?'}token=${tokenFor({ admin: true })}`,
        })
      ).status,
    ).toBe(401);
  });

  test('a revoked token may not', async () => {
    await disconnect({ sub: 'fired', revoke: true });
    for (const path of paths)
      expect(readProblem(await get(path, tokenFor({ admin: true }, 'fired')), 401).detail).toContain(
        'revoked',
      );
    await disconnect({ channel: 'closed', revoke: true });
    const token = tokenFor({ admin: true });
    expect((await get('/channels/closed', token)).status).toBe(401);
    expect((await get('/channels/open', token)).status).toBe(200);
    expect((await get('/channels', token)).status).toBe(200);
  });
});

test.each([
  ['/channels?limit=0', 'limit='],
  ['/channels?limit=-1', 'limit='],
  ['/channels?limit=1001', 'limit='],
  ['/channels?limit=1.5', 'limit='],
  ['/channels?limit=1&limit=2', 'limit='],
  ['/channels?after=garbage', 'after='],
  ['/channels?after=-1', 'after='],
  ['/channels?after=99999999999999999999999', 'after='],
  ['/channels?prefix=a%2A', 'prefix='],
  [`/channels?prefix=${'a'.repeat(201)}`, 'prefix='],
  ['/channels?prefx=a', 'prefx'],
  ['/channels?busiest=0', 'busiest='],
  ['/channels?busiest=101', 'busiest='],
  ['/channels?busiest=', 'busiest='],
  ['/channels?busiest=3&prefix=a', 'busiest='],
  ['/channels/a?limit=1', 'limit'],
  ['/channels/a/subscribers?limit=1001', 'limit='],
  ['/channels/a/subscribers?sub=', 'sub='],
  ['/channels/a/subscribers?sub=1&sub=2', 'sub='],
  ['/status?x=1', 'x'],
])('%s is a 400', async (path, named) => {
  const { code, detail } = readProblem(await get(path), 400);
  expect(code).toBe('invalid-query');
  expect(detail).toContain(named);
});

test('a name that no channel can have is a 400', async () => {
  for (const path of ['/channels/a%20b', '/channels/a%20b/subscribers'])
    expect(readProblem(await get(path), 400).code).toBe('invalid-channel');
});
