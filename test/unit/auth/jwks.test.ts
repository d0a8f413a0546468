import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Jwks } from '../../../src/auth/jwks.ts';
import { TokenVerifier } from '../../../src/auth/token-verifier.ts';
import { KeyServer } from '../../support/key-server.ts';
import { signToken, signTokenWith } from '../../support/sign-token.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
const jwk = (key: KeyObject, more: object = {}): object => ({ ...key.export({ format: 'jwk' }), ...more });

let server: KeyServer;
let jwks: Jwks;
let verifier: TokenVerifier;
let failures: string[];
/** The clock of the fetches, in ms; the test sets it. */
let clock: number;

beforeEach(async () => {
  server = new KeyServer();
  failures = [];
  clock = 0;
  const url = await server.listen();
  jwks = new Jwks({ url, onFailed: (reason) => failures.push(reason), now: () => clock });
  verifier = new TokenVerifier({ keys: jwks, issuer: undefined, audience: undefined, clockTolerance: 0 });
});
afterEach(async () => {
  jwks.close();
  await server.stop();
});

const verify = (key: KeyObject, kid?: string): Promise<unknown> =>
  verifier.verify(signTokenWith({ jti: String(Math.random()) }, key, { kid }));

/** Counts how many of 5,000 tokens with an unknown kid get 'unauthorized' instead of 'keys-unavailable'. */
async function refused(): Promise<number> {
  let count = 0;
  for (let i = 0; i < 5_000; i++) {
    const found = Promise.resolve(jwks.find('invented', `token ${i}`));
    count += await found.then(
      () => 1,
      (error: unknown) => (expect(error).toMatchObject({ code: 'keys-unavailable' }), 0),
    );
  }
  return count;
}

describe('a token is verified with a key of the set', () => {
  test('which its kid names, for every kind of key', async () => {
    server.give(
      jwk(rsa.publicKey, { kid: 'r' }),
      jwk(ec.publicKey, { kid: 'e' }),
      jwk(ed.publicKey, { kid: 'd' }),
    );
    await verify(rsa.privateKey, 'r');
    await verify(ec.privateKey, 'e');
    await verify(ed.privateKey, 'd');
    await expect(verify(ec.privateKey, 'r')).rejects.toThrow('not signed with RS256');
    await expect(verify(ec.privateKey)).rejects.toThrow('names no key (kid)');
    expect(server.requests).toBe(1);
  });

  test('which is the only one, when the token has no kid', async () => {
    server.give(jwk(ec.publicKey, { kid: 'e' }));
    await verify(ec.privateKey);
  });

  test('with one fetch for many tokens at the same time', async () => {
    server.give(jwk(ec.publicKey, { kid: 'e' }));
    await Promise.all(Array.from({ length: 50 }, () => verify(ec.privateKey, 'e')));
    expect(server.requests).toBe(1);
  });
});

describe('a set does not add', () => {
  const k = Buffer.from('a secret that everybody can read, of course').toString('base64url');

  test.each([
    ['a secret', { kty: 'oct', k, kid: 'x' }],
    ['a secret for HS256', { kty: 'oct', k, kid: 'x', alg: 'HS256', use: 'sig' }],
    ['HS256 with a public key', jwk(rsa.publicKey, { kid: 'x', alg: 'HS256' })],
    ['an algorithm that is not for its kind', jwk(rsa.publicKey, { kid: 'x', alg: 'ES256' })],
    ['an algorithm that is a list', jwk(rsa.publicKey, { kid: 'x', alg: ['RS256'] })],
    ['a key for encryption', jwk(rsa.publicKey, { kid: 'x', use: 'enc' })],
    ['a key that is not for verifying', jwk(rsa.publicKey, { kid: 'x', key_ops: ['encrypt'] })],
    ['a weak key', jwk(weak.publicKey, { kid: 'x' })],
    ['half a key', { kty: 'RSA', n: 'AQAB', kid: 'x' }],
    ['a kid that is a number', jwk(rsa.publicKey, { kid: 7 })],
    ['a text', 'x'],
    ['null', null],
  ])('%s', async (_what, key) => {
    server.give(key, jwk(ec.publicKey, { kid: 'e' }));
    await verify(ec.privateKey, 'e');
    clock = 30_000;
    await expect(verify(rsa.privateKey, 'x')).rejects.toThrow('that this broker does not have');
    clock = 60_000;
    const forged = signToken({}, Buffer.from(k, 'base64url'), { kid: 'x' });
    await expect(verifier.verify(forged)).rejects.toThrow('that this broker does not have');
    await verify(ec.privateKey, 'e');
  });
});

describe('a token with an unknown kid', () => {
  test('causes a fetch, so that keys can be rotated', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    await verify(rsa.privateKey, 'old');
    server.give(jwk(rsa.publicKey, { kid: 'old' }), jwk(ec.publicKey, { kid: 'new' }));
    clock = 30_000;
    await verify(ec.privateKey, 'new');
    await verify(rsa.privateKey, 'old');
    expect(server.requests).toBe(2);
    server.give(jwk(ec.publicKey, { kid: 'new' }));
    clock = 60_000;
    await jwks.refresh();
    clock = 90_000;
    await expect(verify(rsa.privateKey, 'old')).rejects.toThrow('that this broker does not have');
  });

  test('causes one fetch in 30 s, however often it comes', async () => {
    server.give(jwk(ec.publicKey, { kid: 'e' }));
    await verify(ec.privateKey, 'e');
    for (clock = 0; clock < 90_000; clock += 500) {
      const kids = ['../../dev/null', 'e ', '', '__proto__', `random ${clock}`];
      await Promise.all(kids.map((kid) => expect(verify(ec.privateKey, kid)).rejects.toThrow()));
    }
    expect(server.requests).toBe(3);
    await verify(ec.privateKey, 'e');
  });

  test('is told to come back later while no fetch is allowed, because its key may be new', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    clock = 30_000;
    // A stranger's token uses up the fetch just before the key is added.
    await expect(verify(ec.privateKey, 'invented')).rejects.toThrow('that this broker does not have');
    server.give(jwk(rsa.publicKey, { kid: 'old' }), jwk(ec.publicKey, { kid: 'new' }));
    clock += 1;
    const token = signTokenWith({}, ec.privateKey, { kid: 'new' });
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'keys-unavailable', retryAfter: 30 });
    clock += 28_500;
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'keys-unavailable', retryAfter: 2 });
    clock = 60_000;
    await verifier.verify(token);
    expect(server.requests).toBe(2);
  });

  test('is told to come back later, although the same kid was asked for before', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    await expect(verify(rsa.privateKey, 'new')).rejects.toThrow('that this broker does not have');
    server.give(jwk(ec.publicKey, { kid: 'new' }));
    await expect(verify(ec.privateKey, 'new')).rejects.toMatchObject({ code: 'keys-unavailable' });
  });

  test('is refused after a fetch that began after the token came, and did not bring the key', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    await verify(rsa.privateKey, 'old');
    const tokens = [1, 2, 3].map((jti) => signTokenWith({ jti }, ec.privateKey, { kid: 'wrong' }));
    const outcomes = (): Promise<string[]> =>
      Promise.all(
        tokens.map((token) =>
          verifier.verify(token).then(
            () => 'good',
            (error: unknown) => (error as { code: string }).code,
          ),
        ),
      );
    expect(await outcomes()).toEqual(Array(3).fill('keys-unavailable'));
    clock = 30_000;
    expect(await outcomes()).toEqual(Array(3).fill('unauthorized'));
    clock += 1;
    expect(await outcomes()).toEqual(Array(3).fill('unauthorized'));
    expect(server.requests).toBe(2);
  });

  test('waits for a fetch under way, and is told to come back later when that fetch did not bring the key', async () => {
    const first = verify(rsa.privateKey, 'old');
    await expect.poll(() => server.requests).toBe(1);
    const second = expect(verify(ec.privateKey, 'new')).rejects.toMatchObject({ code: 'keys-unavailable' });
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    server.release();
    await first;
    await second;
  });

  test('is told to come back later after a failed fetch', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    await verify(rsa.privateKey, 'old');
    server.answer = { status: 500, body: '' };
    const token = signTokenWith({}, ec.privateKey, { kid: 'new' });
    for (clock = 30_000; clock < 90_000; clock += 10_000)
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'keys-unavailable' });
    await verify(rsa.privateKey, 'old');
    expect(server.requests).toBe(3);
  });

  test('a token without a kid is refused without a fetch when there are several keys', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'a' }), jwk(ec.publicKey, { kid: 'b' }));
    await verify(rsa.privateKey, 'a');
    clock = 30_000;
    await expect(verify(rsa.privateKey)).rejects.toThrow('names no key (kid)');
    expect(server.requests).toBe(1);
  });

  test('a bounded number of 5,000 tokens is remembered, and the others are told to come back later', async () => {
    server.give(jwk(rsa.publicKey, { kid: 'old' }));
    await verify(rsa.privateKey, 'old');
    expect(await refused()).toBe(0);
    clock = 30_000;
    expect(await refused()).toBe(1_000);
    expect(server.requests).toBe(2);
  });
});

describe('an unreadable answer keeps the last good set, and is reported', () => {
  test.each([
    ['a status', { status: 503, body: '{"keys":[]}' }, 'status is 503'],
    ['a redirection', { status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' }, 'redirect'],
    ['not a JSON', { body: '<html>' }, 'not a JSON'],
    ['null', { body: 'null' }, 'not a JSON'],
    ['no keys', { body: '{}' }, 'no array'],
    ['more than it may be', { body: ' '.repeat(300_000) }, 'larger'],
    ['more keys than there can be', { body: JSON.stringify({ keys: Array(101).fill(0) }) }, '100'],
  ])('%s', async (_what, answer, reason) => {
    server.give(jwk(ec.publicKey, { kid: 'e' }));
    await verify(ec.privateKey, 'e');
    server.answer = answer;
    clock = 30_000;
    await expect(verify(ec.privateKey, 'other')).rejects.toMatchObject({ code: 'keys-unavailable' });
    await verify(ec.privateKey, 'e');
    expect(failures).toEqual([expect.stringContaining(reason)]);
  });

  test('a server that does not answer', async () => {
    server.give(jwk(ec.publicKey, { kid: 'e' }));
    await verify(ec.privateKey, 'e');
    await server.stop();
    clock = 30_000;
    await expect(verify(ec.privateKey, 'other')).rejects.toMatchObject({ code: 'keys-unavailable' });
    await verify(ec.privateKey, 'e');
    expect(failures).toHaveLength(1);
  });
});

test('an empty set replaces the last one: its tokens are refused, and the empty set is reported', async () => {
  server.give(jwk(ec.publicKey, { kid: 'e' }));
  await verify(ec.privateKey, 'e');
  server.give();
  clock = 30_000;
  await expect(verify(ec.privateKey, 'other')).rejects.toThrow('that this broker does not have');
  clock = 60_000;
  await expect(verify(ec.privateKey, 'e')).rejects.toThrow('that this broker does not have');
  expect(failures).toEqual(Array(2).fill(expect.stringContaining('no key')));
});

test('without any set yet, tokens are told to come back later, and the next fetch comes soon', async () => {
  server.answer = { status: 500, body: '' };
  const unavailable = { code: 'keys-unavailable' };
  await expect(verify(ec.privateKey, 'e')).rejects.toMatchObject(unavailable);
  server.give(jwk(ec.publicKey, { kid: 'e' }));
  await expect(verify(ec.privateKey, 'e')).rejects.toMatchObject(unavailable);
  expect(server.requests).toBe(1);
  clock = 2_000;
  await verify(ec.privateKey, 'e');
});

test('closing ends a fetch under way and reports nothing', async () => {
  const asked = verify(ec.privateKey, 'e');
  await expect.poll(() => server.requests).toBe(1);
  jwks.close();
  await expect(asked).rejects.toMatchObject({ code: 'keys-unavailable' });
  expect(failures).toEqual([]);
});
