import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TokenAccess } from '../../../src/auth/access.ts';
import { TokenIssuer } from '../../../src/auth/token-issuer.ts';
import { pemKey, secretKeys, singleKey } from '../../../src/auth/token-keys.ts';
import type { TokenKey } from '../../../src/auth/token-keys.ts';
import { TokenVerifier } from '../../../src/auth/token-verifier.ts';
import type { TokenVerifierOptions } from '../../../src/auth/token-verifier.ts';
import { inSeconds, signToken, signTokenWith } from '../../support/sign-token.ts';

const SECRET = 'the secret of these tests is long enough';

const pairs = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

type Settings = Partial<Omit<TokenVerifierOptions, 'keys'>>;

function verifierWith(settings: Settings = {}, key: TokenKey = secretKeys([SECRET])): TokenVerifier {
  const defaults = { issuer: undefined, audience: undefined, clockTolerance: 5_000 };
  return new TokenVerifier({ keys: singleKey(key), ...defaults, ...settings });
}

/** Verifies a good token, and returns what it allows. */
async function accessBy(verifier: TokenVerifier, token: string): Promise<TokenAccess> {
  const verdict = await verifier.verify(token);
  if (verdict.kind === 'token') return verdict;
  throw new Error(verdict.fault);
}

describe('a good token', () => {
  test('gives its subject, its grants and its end', async () => {
    const [exp, iat] = [inSeconds(60), inSeconds(-10)];
    const sluice = { subscribe: ['orders.*'], publish: ['news'] };
    const access = await accessBy(verifierWith(), signToken({ sub: '7', exp, iat, sluice }, SECRET));
    expect(access).toEqual({
      kind: 'token',
      subject: '7',
      subscribe: ['orders.*'],
      publish: ['news'],
      admin: false,
      expiresAt: exp * 1_000,
      issuedAt: iat * 1_000,
      fingerprint: expect.stringMatching(/^[\w-]{43}$/) as string,
    });
  });

  test('may leave out all but exp', async () => {
    const access = await accessBy(verifierWith(), signToken({}, SECRET));
    expect(access).toMatchObject({ subject: undefined, subscribe: [], publish: [], issuedAt: 0 });
  });

  test.each(Object.entries(pairs))('is signed with the private key: %s', async (_algorithm, pair) => {
    const pem = pair.publicKey.export({ type: 'spki', format: 'pem' });
    const verifier = verifierWith({}, pemKey(pem));
    expect(await verifier.verify(signTokenWith({ sub: '7' }, pair.privateKey))).toMatchObject({
      subject: '7',
    });
    // A `kid` chooses one of several keys.
    expect(
      await verifier.verify(signTokenWith({}, pair.privateKey, { kid: '../../dev/null' })),
    ).toBeDefined();
  });

  test('may name the algorithm Ed25519 instead of EdDSA', async () => {
    const { publicKey, privateKey } = pairs.EdDSA;
    const verifier = verifierWith({}, pemKey(publicKey.export({ type: 'spki', format: 'pem' })));
    expect(await verifier.verify(signTokenWith({}, privateKey, { alg: 'Ed25519' }))).toBeDefined();
  });

  test('may be issued within the tolerance from now, and may expire at the latest valid date', async () => {
    const [iat, exp] = [inSeconds(3), 8.64e12];
    const access = await accessBy(verifierWith(), signToken({ iat, exp, nbf: 0 }, SECRET));
    expect(access).toMatchObject({ issuedAt: iat * 1_000, expiresAt: 8.64e15 });
    await expect(
      accessBy(verifierWith({ clockTolerance: 1_000 }), signToken({ iat }, SECRET)),
    ).rejects.toThrow('has an iat in the future');
  });

  test('has the issue time of its iat, in ms', async () => {
    const access = await accessBy(verifierWith(), signToken({ iat: 1_700_000_000.123_9 }, SECRET));
    expect(access.issuedAt).toBe(1_700_000_000_123);
  });

  test('has the issuer and the audience of the settings', async () => {
    const verifier = verifierWith({ issuer: 'https://id', audience: 'sluice' });
    for (const aud of ['sluice', ['other', 'sluice']])
      expect(await verifier.verify(signToken({ iss: 'https://id', aud }, SECRET))).toBeDefined();
  });

  test('is good until the tolerance after its exp has passed', async () => {
    const exp = inSeconds(-3);
    const access = await accessBy(verifierWith(), signToken({ exp }, SECRET));
    expect(access.expiresAt).toBe((exp + 5) * 1_000);
    expect(await verifierWith().verify(signToken({ nbf: inSeconds(3) }, SECRET))).toBeDefined();
    await expect(
      accessBy(verifierWith({ clockTolerance: 1_000 }), signToken({ exp }, SECRET)),
    ).rejects.toThrow('expired');
  });
});

describe('a good token is known', () => {
  test('after it was verified, and not before', async () => {
    const verifier = verifierWith();
    const token = signToken({ sub: '7' }, SECRET);
    expect(verifier.known(token)).toBeUndefined();
    const access = await verifier.verify(token);
    expect(verifier.known(token)).toBe(access);
    expect(await verifier.verify(token)).toBe(access);
  });

  test('only with the signature that was verified', async () => {
    const verifier = verifierWith();
    const token = signToken({}, SECRET);
    await verifier.verify(token);
    const forged = token.replace(/[^.]+$/, signToken({}, 'another secret').split('.')[2] ?? '');
    expect(verifier.known(forged)).toBeUndefined();
    await expect(verifier.verify(forged)).rejects.toThrow('signature');
  });

  test('and a bad token never is', async () => {
    const verifier = verifierWith();
    const token = signToken({}, 'another secret');
    await expect(verifier.verify(token)).rejects.toThrow('signature');
    expect(verifier.known(token)).toBeUndefined();
  });
});

test('a token has one fingerprint, whichever valid signature it has', async () => {
  const { publicKey, privateKey } = pairs.ES256;
  const verifier = verifierWith({}, pemKey(publicKey.export({ type: 'spki', format: 'pem' })));
  const claims = { exp: inSeconds(60) };
  const tokens = [signTokenWith(claims, privateKey), signTokenWith(claims, privateKey)];
  expect(tokens[0]).not.toBe(tokens[1]);
  const [first, second] = await Promise.all(tokens.map((token) => accessBy(verifier, token)));
  expect(first?.fingerprint).toBe(second?.fingerprint);
  const other = await accessBy(verifier, signTokenWith({ ...claims, sub: '8' }, privateKey));
  expect(other.fingerprint).not.toBe(first?.fingerprint);
});

describe('with several secrets', () => {
  const secrets = ['new', 'old', 'older'].map((name) => `the ${name} secret, which is long enough`);
  const verifier = verifierWith({}, secretKeys(secrets));

  test('tokens of each secret are good, with any kid', async () => {
    for (const secret of secrets) {
      const token = signToken({ sub: secret }, secret, { kid: 'other' });
      expect(await verifier.verify(token)).toMatchObject({ kind: 'token', subject: secret });
      expect(await verifier.verify(signToken({ exp: 0 }, secret))).toMatchObject({ kind: 'untimely' });
    }
  });

  test('the first secret signs', async () => {
    const issuer = new TokenIssuer({ secret: secrets[0] ?? '', issuer: undefined, audience: undefined });
    const { token } = await issuer.issue({ subscribe: [], publish: [], admin: false, subject: 'x', ttl: 60 });
    expect(await verifierWith({}, secretKeys(secrets.slice(0, 1))).verify(token)).toMatchObject({
      subject: 'x',
    });
    await expect(verifierWith({}, secretKeys(secrets.slice(1))).verify(token)).rejects.toThrow('signature');
  });

  test('a token of another secret is refused, for any token', async () => {
    const near = fc.constantFrom(...secrets.flatMap((one) => [`${one} `, one.slice(1), one.toUpperCase()]));
    const text = fc.oneof(fc.string(), near, fc.constant(secrets.join(',')));
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), async (secret, expired) => {
        fc.pre(!secrets.includes(secret) && secret !== '');
        const token = signToken(expired ? { exp: 0 } : {}, secret);
        await expect(verifier.verify(token)).rejects.toThrow('signature');
      }),
    );
  });
});
