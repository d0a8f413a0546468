import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/config.ts';
import { createAuthority } from '../../support/certificates.ts';

const authority = createAuthority();
const { cert, key } = authority.issue();
const other = authority.issue();

test.each([
  ['SLUICE_TLS_CERT is set without SLUICE_TLS_KEY. Set both or none.', { SLUICE_TLS_CERT: cert }],
  ['SLUICE_TLS_KEY is set without SLUICE_TLS_CERT. Set both or none.', { SLUICE_TLS_KEY: key }],
  [
    'SLUICE_TLS_KEY is not the key of the first certificate in SLUICE_TLS_CERT. Set a key and a certificate that belong together.',
    { SLUICE_TLS_CERT: `${cert}${other.cert}`, SLUICE_TLS_KEY: other.key },
  ],
  [
    'SLUICE_REDIS_TLS_CERT is set without SLUICE_REDIS_TLS_KEY. Set both or none.',
    { REDIS_URL: 'rediss://redis', SLUICE_REDIS_TLS_CERT: cert },
  ],
  [
    'SLUICE_REDIS_TLS_CA is set, but REDIS_URL does not use TLS. Begin REDIS_URL with rediss.',
    { REDIS_URL: 'redis://redis', SLUICE_REDIS_TLS_CA: authority.cert },
  ],
  [
    'SLUICE_REDIS_TLS_CERT is set, but REDIS_URL does not use TLS. Begin REDIS_URL with rediss.',
    { SLUICE_REDIS_TLS_CERT: cert, SLUICE_REDIS_TLS_KEY: key },
  ],
])('%s', (line, env) => {
  expect(() => loadConfig(env)).toThrow(new ConfigError([line]));
});

test('a key with a passphrase is refused, without a prompt for the passphrase', () => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' },
  });
  expect(() => loadConfig({ SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: privateKey })).toThrow(
    'SLUICE_TLS_KEY is a hidden value; expected a private key in PEM (-----BEGIN PRIVATE KEY-----) without a passphrase.',
  );
});
