import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runSluice } from '../support/run-program.ts';
import { inSeconds, signText, signToken, signTokenWith } from '../support/sign-token.ts';

const SECRET = 'a-secret-of-the-tests-with-more-than-32-bytes';

interface Report {
  readonly valid: boolean;
  readonly signature: string;
  readonly grants: unknown;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

let folder: string;
let secretFile: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-token-'));
  secretFile = join(folder, 'jwt.secret');
  await writeFile(secretFile, `${SECRET}\n`);
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function inspect(token: string, ...args: readonly string[]): Promise<Report> {
  const { stdout } = await runSluice(['token', 'inspect', '--json', ...args], {
    env: { SLUICE_TOKEN: token },
  });
  return JSON.parse(stdout) as Report;
}

describe('sluice token mint, with a secret', () => {
  test('makes a token without a broker', async () => {
    const args = ['--subscribe', 'orders.*', '--subscribe', 'news', '--publish', 'a', '--sub', 'user-7'];
    const { code, stdout } = await runSluice(['token', 'mint', '--secret-file', secretFile, ...args]);
    expect(code).toBe(0);
    expect(await inspect(stdout.trimEnd(), '--secret-file', secretFile)).toMatchObject({
      valid: true,
      signature: 'verified',
      claims: { sub: 'user-7' },
      grants: { subscribe: ['orders.*', 'news'], publish: ['a'], admin: false },
      warnings: [],
    });
  });

  test('takes the secret, the issuer and the audience of the settings', async () => {
    const env = { SLUICE_JWT_SECRET: SECRET, SLUICE_JWT_ISSUER: 'id.example', SLUICE_JWT_AUDIENCE: 'sluice' };
    const { stdout } = await runSluice(['token', 'mint', '--admin', '--ttl', '90s'], { env });
    const { code, stdout: report } = await runSluice(['token', 'inspect', stdout.trimEnd()], { env });
    expect(code).toBe(0);
    expect(report).toContain('"iss":"id.example"');
    expect(report).toMatch(/^signature {2}verified$/m);
    expect(report).toMatch(/^expires {4}in 1 min/m);
  });

  test.each([
    [[], 'would grant nothing'],
    [['--subscribe', 'a*b'], '--subscribe takes a channel name, a prefix followed by *, or *; not "a*b"'],
    [['--admin', '--ttl', '31d'], '--ttl'],
    [['--admin', '--sub', ''], '--sub takes 1 to 200 characters'],
    [['--admin', '--secret-file', '/nowhere'], 'Cannot read the file of --secret-file'],
  ])('refuses wrong use: %j', async (args, message) => {
    const { code, stdout, stderr } = await runSluice(['token', 'mint', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('refuses a short secret without showing it', async () => {
    const env = { SLUICE_JWT_SECRET: 'too-short' };
    const { code, stderr } = await runSluice(['token', 'mint', '--admin'], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('32 bytes');
    expect(stderr).not.toContain('too-short');
  });
});

describe('sluice token inspect', () => {
  test('explains a token in words, from the input, and does not print it', async () => {
    const claims = { iat: inSeconds(0), exp: inSeconds(7_230), sluice: { subscribe: ['*'], admin: true } };
    const token = signToken(claims, SECRET);
    const { code, stdout, stderr } = await runSluice(['token', 'inspect'], { input: `${token}\n` });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^subscribe {2}every channel$/m);
    expect(stdout).toMatch(/^publish {4}no channel$/m);
    expect(stdout).toMatch(/^look in {4}yes$/m);
    expect(stdout).toMatch(/^expires {4}in 2 h/m);
    expect(stdout).not.toContain(token.split('.')[2]);
  });

  test('says since when a token has expired', async () => {
    const token = signToken({ exp: inSeconds(-3 * 86_400 - 60) }, SECRET);
    const { code, stdout, stderr } = await runSluice(['token', 'inspect', token]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^expired {4}3 d ago/m);
    expect(stderr).toContain('problem: The token has expired.');
    expect(stderr).toContain('sluice: A broker would refuse this token.');
  });

  test.each([
    ['no exp', signText('{}', SECRET), 'has no exp'],
    ['alg none', signText('{"exp":9999999999}', SECRET, { alg: 'none' }), 'not signed'],
    ['no signature', signToken({}, SECRET).replace(/[^.]*$/, ''), 'not signed'],
    ['an iat in the future', signToken({ iat: inSeconds(600) }, SECRET), 'iat in the future'],
    ['an nbf in the future', signToken({ nbf: inSeconds(600) }, SECRET), 'not valid yet'],
    ['a date that is none', signToken({ exp: 1e300 }, SECRET), 'exp that is not a valid date'],
    ['a wrong pattern', signToken({ sluice: { subscribe: ['a*b'] } }, SECRET), 'invalid sluice.subscribe[0]'],
    ['too many characters', signToken({ a: 'x'.repeat(9_000) }, SECRET), 'the limit is 8192'],
    ['another text', 'a-publish-key', 'not a JWT'],
    ['crit', signToken({}, SECRET, { crit: ['b64'] }), 'crit'],
  ])('refuses a token with %s', async (_fault, token, problem) => {
    const { valid, problems } = await inspect(token);
    expect(valid).toBe(false);
    expect(problems.join('\n')).toContain(problem);
  });

  test.each([
    ['mercure: ["*"]', { mercure: { subscribe: ['*'] } }, 'another system'],
    ['a list outside of the claim', { subscribe: ['*'] }, 'outside of the claim sluice'],
    ['an unknown member', { sluice: { subscribes: ['*'] } }, 'does not know sluice.subscribes'],
    ['no grant', { sluice: {} }, 'grants nothing'],
    ['no iat', { sluice: { subscribe: ['*'] } }, 'no iat'],
  ])('warns of %s', async (_mistake, claims, warning) => {
    const { valid, warnings } = await inspect(signToken(claims, SECRET));
    expect(valid).toBe(true);
    expect(warnings.join('\n')).toContain(warning);
  });

  test('checks the signature with a secret', async () => {
    const report = await inspect(
      signToken({}, 'another-secret-of-more-than-thirty-two-bytes'),
      '--secret-file',
      secretFile,
    );
    expect(report).toMatchObject({ valid: false, signature: 'wrong' });
  });

  test('checks the signature with a public key', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const file = join(folder, 'public.pem');
    await writeFile(file, publicKey.export({ type: 'spki', format: 'pem' }));
    const token = signTokenWith({}, privateKey);
    expect(await inspect(token, '--public-key-file', file)).toMatchObject({
      valid: true,
      signature: 'verified',
    });
  });

  test('checks the issuer and the audience', async () => {
    const { problems } = await inspect(signToken({ iss: 'x' }, SECRET), '--issuer', 'y', '--audience', 'z');
    expect(problems).toEqual([`The token's iss is not "y".`, `The token's aud is not "z".`]);
  });

  test('keeps control characters of claims from the terminal', async () => {
    const token = signToken({ sub: '\u009b31m\u202e' }, SECRET);
    const { stdout } = await runSluice(['token', 'inspect', token], { columns: 20 });
    expect(stdout).not.toContain('\u009b');
    expect(stdout).not.toContain('\u202e');
  });

  test('needs a token', async () => {
    expect(await runSluice(['token', 'inspect'])).toMatchObject({ code: 2 });
    expect(await runSluice(['token', 'inspect'], { input: '' })).toMatchObject({ code: 2 });
  });
});
