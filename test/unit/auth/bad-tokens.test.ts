import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { pemKey, secretKeys, singleKey } from '../../../src/auth/token-keys.ts';
import type { TokenKey } from '../../../src/auth/token-keys.ts';
import { TokenVerifier } from '../../../src/auth/token-verifier.ts';
import { untimelyError } from '../../../src/auth/token-errors.ts';
import { inSeconds, signText, signToken, signTokenWith } from '../../support/sign-token.ts';

const SECRET = 'the secret of these tests is long enough';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PEM = rsa.publicKey.export({ type: 'spki', format: 'pem' });
const DER = rsa.publicKey.export({ type: 'spki', format: 'der' });

const good = signToken({ sub: 'somebody' }, SECRET);
const [header = '', payload = '', signature = ''] = good.split('.');
const encode = (text: string): string => Buffer.from(text).toString('base64url');

/** The same signature with another last character: base64url ignores its four lowest bits. */
function respelled(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.at(-1) ?? '');
  return text.slice(0, -1) + alphabet[last ^ 1];
}

/** Puts a claim into the JSON text as written. The text can hold numbers that JavaScript does not write. */
function withNumber(claim: string, number: string): string {
  const rest = JSON.stringify({ exp: inSeconds(60), ...right, [claim]: undefined });
  return signText(`{"${claim}":${number},${rest.slice(1)}`, SECRET);
}

function verifier(key: TokenKey = secretKeys([SECRET])): TokenVerifier {
  return new TokenVerifier({
    keys: singleKey(key),
    issuer: 'https://id.example.com',
    audience: 'sluice',
    clockTolerance: 5_000,
  });
}

async function refusal(token: string, key: TokenKey): Promise<string> {
  const tokens = verifier(key);
  const verdict: unknown = await tokens.verify(token).catch((thrown: unknown) => thrown);
  const untimely = tokens.known(token);
  if (untimely !== undefined) {
    // The signature is valid, so the verifier remembers the token and does not verify it again.
    expect(verdict).toBe(untimely);
    expect(untimely.kind).toBe('untimely');
    expect(await tokens.verify(token)).toBe(untimely);
  }
  const error = untimely?.kind === 'untimely' ? untimelyError(untimely) : verdict;
  expect(error).toMatchObject({ name: 'BrokerError', code: 'unauthorized', faults: [] });
  // The errors of jose hold the claims, and an error's cause is logged.
  expect((error as Error).cause).toBeUndefined();
  return (error as Error).message;
}

const right = { iss: 'https://id.example.com', aud: 'sluice', sub: 'somebody' };

describe('refused with a secret', () => {
  test.each([
    ['nothing', '', 'is not a JWT'],
    ['one part', header, 'is not a JWT'],
    ['two parts', `${header}.${payload}`, 'is not a JWT'],
    ['three dots', `${good}.`, 'is not a JWT'],
    ['only dots', '..', 'is not a JWT'],
    ['four parts', `${good}.${signature}`, 'is not a JWT'],
    ['no signature', `${header}.${payload}.`, 'is not a JWT'],
    ['padding', `${good}=`, 'is not a JWT'],
    ['a blank at the end', `${good} `, 'is not a JWT'],
    ['a line break at the end', `${good}\n`, 'is not a JWT'],
    ['plain base64', good.replace(/.$/, '+'), 'is not a JWT'],
    ['a NUL', `${good}\0`, 'is not a JWT'],
    ['a character more', `${good}A`, 'signature'],
    ['four characters more', `${good}AAAA`, 'signature'],
    ['the signature spelled in another way', `${header}.${payload}.${respelled(signature)}`, 'base64url'],
    ['other claims', `${header}.${encode('{"exp":99999999999}')}.${signature}`, 'signature'],
    ['a header that is no JSON', `${encode('{alg')}.${payload}.${signature}`, 'header'],
    ['a header that is a list', `${encode('[]')}.${payload}.${signature}`, 'not signed'],
    ['a header that is null', `${encode('null')}.${payload}.${signature}`, 'header'],
    ['a header without alg', `${encode('{}')}.${payload}.${signature}`, 'not signed'],
    ['alg none and no signature', `${encode('{"alg":"none"}')}.${payload}.`, 'is not a JWT'],
    ['alg none and a signature', `${encode('{"alg":"none"}')}.${payload}.${signature}`, 'not signed'],
    ['alg None', `${encode('{"alg":"None"}')}.${payload}.${signature}`, 'HS256'],
    ['alg HS512', signToken(right, SECRET, { alg: 'HS512' }), 'HS256'],
    ['alg RS256', signTokenWith(right, rsa.privateKey), 'HS256'],
    ['an alg that is a list', signToken(right, SECRET, { alg: ['HS256'] }), 'not signed'],
    ['crit', signToken(right, SECRET, { crit: ['exp'] }), 'crit'],
    ['crit that turns base64 off', signToken(right, SECRET, { crit: ['b64'], b64: false }), 'crit'],
    ['an empty crit', signToken(right, SECRET, { crit: [] }), 'crit'],
    ['a kid of 10 KiB', signToken(right, SECRET, { kid: 'k'.repeat(10_240) }), 'characters'],
    ['a kid of 257 characters', signToken(right, SECRET, { kid: 'k'.repeat(257) }), 'kid'],
    ['a kid that is a number', signToken(right, SECRET, { kid: 7 }), 'kid'],
    ['10 KiB', signToken({ ...right, fill: 'x'.repeat(10_240) }, SECRET), '8192'],
    ['another secret', signToken(right, `${SECRET}!`), 'signature'],
    ['claims that are no JSON', signText('{"exp":', SECRET), 'cannot be read'],
    ['claims that are a list', signText('[]', SECRET), 'cannot be read'],
    ['no exp', signToken({ ...right, exp: undefined }, SECRET), 'has no exp'],
    ['an exp that is text', signToken({ ...right, exp: '99999999999' }, SECRET), 'exp'],
    ['an exp that is null', signToken({ ...right, exp: null }, SECRET), 'exp'],
    ['an exp that is past', signToken({ ...right, exp: inSeconds(-6) }, SECRET), 'has expired'],
    ['an exp of 0', signToken({ ...right, exp: 0 }, SECRET), 'has expired'],
    ['an nbf in the future', signToken({ ...right, nbf: inSeconds(30) }, SECRET), 'not valid yet'],
    ['an nbf that is text', signToken({ ...right, nbf: 'now' }, SECRET), 'nbf'],
    ['an iat that is text', signToken({ ...right, iat: 'now' }, SECRET), 'iat'],
    ['an iat in the future', signToken({ ...right, iat: inSeconds(60) }, SECRET), 'has an iat in the future'],
    ['an iat in a thousand years', signToken({ ...right, iat: inSeconds(3e10) }, SECRET), 'in the future'],
    [
      'an iat that is negative',
      signToken({ ...right, iat: -1 }, SECRET),
      'has an iat that is not a valid date',
    ],
    [
      'an nbf that is negative',
      signToken({ ...right, nbf: -1 }, SECRET),
      'has an nbf that is not a valid date',
    ],
    ['another issuer', signToken({ ...right, iss: 'https://id.example.com/' }, SECRET), 'SLUICE_JWT_ISSUER'],
    ['no issuer', signToken({ ...right, iss: undefined }, SECRET), 'has no iss'],
    ['another audience', signToken({ ...right, aud: 'other' }, SECRET), 'SLUICE_JWT_AUDIENCE'],
    ['other audiences', signToken({ ...right, aud: ['sluice2', 'x'] }, SECRET), 'SLUICE_JWT_AUDIENCE'],
    ['no audience', signToken({ ...right, aud: undefined }, SECRET), 'has no aud'],
    ['a sub that is a number', signToken({ ...right, sub: 7 }, SECRET), 'sub'],
    [
      'a grant that is no list',
      signToken({ ...right, sluice: { subscribe: '*' } }, SECRET),
      'sluice.subscribe',
    ],
    ['a grant of **', signToken({ ...right, sluice: { publish: ['**'] } }, SECRET), 'sluice.publish[0]'],
  ])('%s', async (_what, token, fault) => {
    const message = await refusal(token, secretKeys([SECRET]));
    expect(message).toMatch(/^The token .+\.$/);
    expect(message).toContain(fault);
    expect(message).not.toContain('somebody');
  });
});

// 1e306 is a valid number of seconds, and too large in ms.
test.each([
  ['exp', ['1e306', '1e308', '1e400', '8640000000000.001', '9007199254740993']],
  ['iat', ['1e306', '-1e306', '1e400', '-1e400', '-0.5']],
  ['nbf', ['-1e306', '-1e400']],
])('an %s that is not a valid date is refused, such as %j', async (claim, numbers) => {
  for (const number of numbers)
    expect(await refusal(withNumber(claim, number), secretKeys([SECRET]))).toContain(claim);
});

describe('refused with an RSA key', () => {
  test.each([
    ['HS256 with the PEM for a secret', signToken(right, PEM), 'RS256'],
    ['HS256 with the trimmed PEM for a secret', signToken(right, PEM.trim()), 'RS256'],
    ['HS256 with the DER for a secret', signToken(right, DER), 'RS256'],
    ['HS256 that calls itself RS256', signToken(right, PEM, { alg: 'RS256' }), 'signature'],
    ['RS256 that calls itself PS256', signTokenWith(right, rsa.privateKey, { alg: 'PS256' }), 'RS256'],
    ['another RSA key', signTokenWith(right, other.privateKey), 'signature'],
    ['an EC key', signTokenWith(right, ec.privateKey), 'RS256'],
    [
      'a key that the token brings along',
      signTokenWith(right, other.privateKey, { jwk: other.publicKey.export({ format: 'jwk' }) }),
      'signature',
    ],
    [
      'a URL that the token brings along',
      signTokenWith(right, other.privateKey, { jku: 'http://x/' }),
      'signature',
    ],
  ])('%s', async (_what, token, fault) => {
    expect(await refusal(token, pemKey(PEM))).toContain(fault);
  });
});

async function kindOf(token: string): Promise<string> {
  try {
    return (await verifier().verify(token)).kind;
  } catch {
    return 'wrong';
  }
}

describe('a token that has expired or is not valid yet', () => {
  const late = { ...right, exp: inSeconds(-60) };
  const early = { ...right, nbf: inSeconds(600) };

  test.each([
    ['has expired', late],
    ['expired in 1970', { ...right, exp: 0 }],
    ['is not valid yet', early],
    ['has an iat in the future', { ...right, iat: inSeconds(600) }],
  ])('has its own verdict: it %s', async (_what, claims) => {
    expect(await kindOf(signToken(claims, SECRET))).toBe('untimely');
  });

  test.each([
    ['another signature', signToken(late, `${SECRET}!`)],
    ['another issuer', signToken({ ...late, iss: 'x' }, SECRET)],
    ['no issuer', signToken({ ...late, iss: undefined }, SECRET)],
    ['another audience', signToken({ ...late, aud: 'x' }, SECRET)],
    ['another audience, and valid later', signToken({ ...early, aud: 'x' }, SECRET)],
  ])("but the verdict is 'wrong' with %s", async (_what, token) => {
    expect(await kindOf(token)).toBe('wrong');
  });
});
