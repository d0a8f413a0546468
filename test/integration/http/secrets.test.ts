import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startBroker } from '../../support/broker.ts';
import type { Broker } from '../../support/broker.ts';
import { exchange, openRaw, requestBytes } from '../../support/raw-http.ts';
import type { RawRequest } from '../../support/raw-http.ts';
import { startRedis } from '../../support/redis-server.ts';
import type { RedisServer } from '../../support/redis-server.ts';
import { inSeconds, signToken } from '../../support/sign-token.ts';

// Each secret has a word that occurs nowhere else, so that the test also finds a part of a secret.
const KEY = 'kumquat-publish-key';
const JWT_SECRET = 'persimmon-secret-for-signing-tokens';
const PASSWORD = 'tamarillo-password';
const tokenOf = (claims: object, secret = JWT_SECRET): string =>
  signToken({ ...claims, jti: String(Math.random()) }, secret);

let redis: RedisServer;
let broker: Broker;
beforeAll(async () => {
  redis = await startRedis();
  await redis.cli('CONFIG', 'SET', 'requirepass', PASSWORD);
  broker = await startBroker({
    LOG_LEVEL: 'trace',
    REDIS_URL: redis.url.replace('//', `//:${PASSWORD}@`),
    SLUICE_PUBLISH_KEYS: KEY,
    SLUICE_JWT_SECRET: JWT_SECRET,
    SLUICE_CORS_ORIGINS: 'https://app.example.com',
  });
});
afterAll(async () => {
  await broker.kill();
  await redis.stop();
});

test('no secret is in a log line, an answer or a metric', async () => {
  const good = tokenOf({ sub: 'a-subject', sluice: { subscribe: ['a'], publish: ['a'] } });
  const tokens = [
    good,
    tokenOf({ sluice: { subscribe: ['b'] } }),
    tokenOf({ exp: inSeconds(-60) }),
    tokenOf({ sluice: { subscribe: 'feijoa' } }),
    tokenOf({ sub: 7 }),
    tokenOf({}, 'another'),
    `${good}.`,
    `${good}AAAA`,
    'rambutan.rambutan.rambutan',
    'rambutan',
    KEY,
  ];
  const texts: string[] = [];
  const ask = async (request: RawRequest): Promise<void> => {
    const answer = await exchange(broker.port, request);
    texts.push(JSON.stringify(answer.headers), answer.body);
  };
  for (const token of tokens) {
    const ways = [
      { headers: [`Authorization: Bearer ${token}`], query: '' },
      { headers: [`Authorization: Basic ${token}`], query: '' },
      { headers: [`Cookie: sluice_token=${token}`], query: '' },
      { headers: [`Cookie: sluice_token=${token}`, 'Origin: https://evil.example'], query: '' },
      { headers: [], query: `?token=${token}` },
      { headers: [], query: `?%74oken=${token}&last=x` },
    ];
    for (const { headers, query } of ways) {
      for (const path of ['/events/a', '/events/a%20b', '/events/%zz', '/nothing', '/', '/events/a/b'])
        await ask({ path: `${path}${query}`, headers });
      for (const [path, body] of [
        ['/publish/a', 'x'],
        ['/publish', '{"channel":"a","data":"x"}'],
        ['/publish', '{'],
        // This route returns a token, and only to clients with a publish key.
        ['/tokens', '{}'],
      ] as const)
        await ask({
          method: 'POST',
          path: `${path}${query}`,
          headers: [...headers, 'Content-Type: application/json', `Content-Length: ${body.length}`],
          body,
        });
      await ask({ method: 'OPTIONS', path: `/events/a${query}`, headers });
      await ask({ method: 'BREW', path: `/events/a${query}`, headers });
    }
  }
  for (const path of [
    '/status',
    '/channels',
    '/channels/a',
    '/channels/a/subscribers',
    '/channels?busiest=9',
  ])
    await ask({ path, headers: [`Authorization: Bearer ${KEY}`] });
  // Malformed HTTP, a client that leaves, and a Redis that comes back without its password.
  await ask({ path: `/events/a?token=${good} HTTP/9.9`, headers: [] });
  const leaving = await openRaw(broker.port);
  leaving.send(
    requestBytes({ method: 'POST', path: `/publish/a?token=${good}`, headers: ['Content-Length: 9'] }),
  );
  leaving.close();
  await redis.restart();
  await broker.logged('redis: down');
  await ask({
    method: 'POST',
    path: '/publish/a',
    headers: [`Authorization: Bearer ${KEY}`, 'Content-Length: 1'],
    body: 'x',
  });
  await ask({ path: '/healthz' });
  await ask({ path: '/metrics' });
  await broker.stop();

  expect(texts.length).toBeGreaterThan(700);
  texts.push(...broker.log());
  const secrets = ['kumquat', 'persimmon', 'tamarillo', 'rambutan', 'feijoa', ...tokens.map(signatureOf)];
  for (const secret of secrets) expect(texts.filter((text) => text.includes(secret))).toEqual([]);
});

test('no log line has a password that Redis refuses', async () => {
  const other = await startBroker({
    LOG_LEVEL: 'trace',
    REDIS_URL: redis.url.replace('//', '//:mangosteen-password@'),
  });
  await other.logged('redis: ');
  await exchange(other.port, { path: '/healthz' });
  await other.stop();
  expect(other.log().filter((line) => line.includes('mangosteen'))).toEqual([]);
});

test('no log line has a secret that a server repeats in its error', async () => {
  // Redis, and programs that act as Redis, repeat an unknown command in the error.
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      for (const command of data.toString().split('*').slice(1)) {
        const [name, ...args] = command.split('\r\n').filter((_, i) => i > 0 && i % 2 === 0);
        const shown = args.map((arg) => `'${arg}'`).join(' ');
        socket.write(`-ERR unknown command '${name}', with args beginning with: ${shown}\r\n`);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const other = await startBroker({
    LOG_LEVEL: 'trace',
    REDIS_URL: `redis://user:mangosteen-password@127.0.0.1:${port}`,
  });
  await other.logged('unknown command');
  const { body } = await exchange(other.port, { path: '/healthz' });
  await other.stop();
  server.close();
  expect(body).toContain('unknown command');
  expect([body, ...other.log()].filter((text) => text.includes('mangosteen'))).toEqual([]);
});

function signatureOf(token: string): string {
  return token.split('.')[2] ?? token;
}
