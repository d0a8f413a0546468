import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { readProblem } from '../../support/read-problem.ts';
import { openStream } from '../../support/sse-reader.ts';
import { inSeconds, signToken, signTokenWith } from '../../support/sign-token.ts';
import { openUpload } from '../../support/upload.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let broker: Broker;
beforeAll(async () => {
  broker = await startBroker({
    SLUICE_JWT_PUBLIC_KEY: publicKey.export({ type: 'spki', format: 'pem' }),
    SLUICE_PUBLISH_KEYS: '',
  });
});
afterAll(() => broker.kill());

const grants = signTokenWith({ sluice: { publish: ['orders.*'] } }, privateKey);
const subscribes = signTokenWith({ sluice: { subscribe: ['*'] } }, privateKey);

async function post(path: string, headers: readonly string[], body: string): Promise<RawAnswer> {
  const more = [`Content-Length: ${Buffer.byteLength(body)}`, 'Content-Type: application/json'];
  return await exchange(broker.port, { method: 'POST', path, headers: [...headers, ...more], body });
}

/** Publishes in both forms. */
async function publish(channel: string, ...headers: string[]): Promise<readonly RawAnswer[]> {
  const publication = JSON.stringify({ channel, data: 'x' });
  return [await post('/publish', headers, publication), await post(`/publish/${channel}`, headers, 'x')];
}

test('with a key for tokens, and without publish keys, the broker makes no publish key', () => {
  expect(broker.key).toBe('');
  expect(broker.log().filter((line) => line.includes('publishKey'))).toEqual([]);
});

test('a token publishes on a channel that it grants', async () => {
  for (const answer of await publish('orders.1', `Authorization: Bearer ${grants}`)) {
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ channel: 'orders.1' });
  }
});

test.each([
  ['another channel', grants],
  ['no channel at all', subscribes],
])('a token that grants %s is refused with 403', async (_what, token) => {
  for (const answer of await publish('news', `Authorization: Bearer ${token}`))
    expect(readProblem(answer, 403).code).toBe('forbidden');
});

test('a token that does not grant the channel is 403, whatever the idempotency key is', async () => {
  for (const key of ['a b', ''])
    for (const answer of await publish('news', `Authorization: Bearer ${grants}`, `Idempotency-Key: ${key}`))
      expect(readProblem(answer, 403).code).toBe('forbidden');
});

test('a token that grants no channel is refused before the body is read', async () => {
  const headers = ['Content-Length: 1000000000', `Authorization: Bearer ${subscribes}`];
  const answer = await exchange(broker.port, { method: 'POST', path: '/publish/news', headers });
  expect(answer.status).toBe(403);
});

describe('publishing is 401', () => {
  const pem = publicKey.export({ type: 'spki', format: 'pem' });

  test.each([
    ['without credentials', []],
    [
      'with a good token in the cookie alone',
      [`Cookie: sluice_token=${grants}`, 'Sec-Fetch-Site: same-origin'],
    ],
    [
      'with a token that has expired',
      [`Authorization: Bearer ${signTokenWith({ exp: inSeconds(-60) }, privateKey)}`],
    ],
    ['with the public key for a secret', [`Authorization: Bearer ${signToken({}, pem)}`]],
    ['with text that is neither token nor key', ['Authorization: Bearer x']],
    ['with three dots', [`Authorization: Bearer ${grants}.`]],
    ['with two dots alone', ['Authorization: Bearer ..']],
    ['with a token of 9 KiB', [`Authorization: Bearer ${grants}${'A'.repeat(9_216)}`]],
  ])('%s', async (_how, headers) => {
    for (const answer of await publish('orders.1', ...headers)) {
      expect(readProblem(answer, 401).code).toBe('unauthorized');
      expect(answer.header('www-authenticate')).toBe('Bearer realm="sluice"');
      expect(answer.body).not.toContain('eyJ');
    }
    const inQuery = await post(`/publish/orders.1?token=${grants}`, headers, 'x');
    expect(inQuery.status).toBe(401);
  });
});

test('without a secret the broker makes no tokens', async () => {
  const answer = await post('/tokens', [`Authorization: Bearer ${grants}`], '{"subscribe":["a"]}');
  expect(readProblem(answer, 403).code).toBe('forbidden');
});

describe('a publish to several channels', () => {
  const bearer = [`Authorization: Bearer ${grants}`];

  test.each([
    ['a list of channels', { channels: ['orders.1', 'news'], data: 1 }],
    [
      'a list of events',
      [
        ...Array.from({ length: 300 }, () => ({ channel: 'orders.1', data: 1 })),
        { channel: 'news', data: 1 },
      ],
    ],
  ])('as %s needs a grant for each, and is published as a whole or not at all', async (_what, body) => {
    const watching = signTokenWith({ sluice: { subscribe: ['orders.1'] } }, privateKey);
    const stream = await openStream(`${broker.url}/events/orders.1?token=${watching}`);
    await stream.until('sluice:ready');
    const { code, detail } = readProblem(await post('/publish', bearer, JSON.stringify(body)), 403);
    expect([code, detail]).toEqual(['forbidden', expect.stringContaining('news')]);
    const last = await post('/publish', bearer, JSON.stringify({ channel: 'orders.1', data: 'the last' }));
    expect((await stream.next()).id).toBe((JSON.parse(last.body) as { id: string }).id);
    stream.close();
  });

  test('to every channel needs the grant of a star', async () => {
    const body = JSON.stringify({ channels: '*', data: 1 });
    expect(readProblem(await post('/publish', bearer, body), 403).code).toBe('forbidden');
    const all = signTokenWith({ sluice: { publish: ['*'] } }, privateKey);
    expect((await post('/publish', [`Authorization: Bearer ${all}`], body)).status).toBe(200);
  });

  test('as an upload needs a grant for its channel', async () => {
    expect(readProblem(await post('/publish/news?each=line', bearer, 'x\n'), 403).code).toBe('forbidden');
  });
});

test('an upload ends when its token expires, and says how much of it is in the log', async () => {
  const token = signTokenWith(
    { exp: inSeconds(2), sluice: { publish: ['up'], subscribe: ['up'] } },
    privateKey,
  );
  const sent = await openUpload({ port: broker.port, key: token }, 'up?each=line');
  const answered = sent.answer();
  const stream = await openStream(`${broker.url}/events/up?token=${token}`);
  await stream.until('sluice:ready');
  let lines = 0;
  let answer: RawAnswer | undefined;
  while (answer === undefined) {
    sent.send(`${lines++}\n`);
    const next = stream.next().then(() => undefined);
    answer = await Promise.race([next.catch(() => answered), answered]);
  }
  const { code, members } = readProblem(answer, 401);
  expect([code, members]).toEqual(['unauthorized', { published: lines - 1 }]);
  stream.close();
});
