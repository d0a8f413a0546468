import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import { inSeconds, signText, signToken } from '../../support/sign-token.ts';

const SECRET = 'the secret of these tests is long enough';
const FAR_AHEAD = 8.64e12;

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({ SLUICE_JWT_SECRET: SECRET });
});
afterAll(() => broker.kill());

async function publish(credential: string): Promise<number> {
  const headers = [`Authorization: Bearer ${credential}`, 'Content-Length: 1'];
  const answer = await exchange(broker.port, { method: 'POST', path: '/publish/news', headers, body: 'x' });
  return answer.status;
}

async function revoke(sub: string): Promise<void> {
  const answer = await fetch(`${broker.url}/disconnect`, {
    method: 'POST',
    headers: { authorization: `Bearer ${broker.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ sub, revoke: true }),
  });
  expect(answer.status).toBe(200);
}

const sluice = { publish: ['news'] };

test.each([
  ['that ends soon', signToken({ sub: 'soon', iat: inSeconds(-1), sluice }, SECRET), 'soon'],
  ['that ends in 270,000 years', signToken({ sub: 'late', exp: FAR_AHEAD, sluice }, SECRET), 'late'],
])('a token %s, accepted just before, publishes no more after it is revoked', async (_which, token, sub) => {
  expect(await publish(token)).toBe(200);
  await revoke(sub);
  expect(await publish(token)).toBe(401);
  // A publish key is not a token, so a revocation does not concern it.
  expect(await publish(broker.key)).toBe(200);
});

test.each([
  ['an exp of 1e306', `{"sub":"a","exp":1e306,"sluice":{"publish":["news"]}}`],
  ['an exp of 1e400', `{"sub":"b","exp":1e400,"sluice":{"publish":["news"]}}`],
  [
    'an iat of tomorrow',
    `{"sub":"c","exp":${inSeconds(99_999)},"iat":${inSeconds(86_400)},"sluice":{"publish":["news"]}}`,
  ],
])('a token with %s publishes neither before nor after its subject is revoked', async (_what, claims) => {
  const token = signText(claims, SECRET);
  const { sub } = JSON.parse(claims) as { sub: string };
  expect(await publish(token)).toBe(401);
  await revoke(sub);
  expect(await publish(token)).toBe(401);
});
