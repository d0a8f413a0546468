import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { SettingCase } from './setting-cases.ts';

const pem = (key: KeyObject, type: 'spki' | 'pkcs8'): string => key.export({ type, format: 'pem' });

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

export const publicKey = pem(ed.publicKey, 'spki');

const ten = Array.from({ length: 10 }, (_, i) => String(i).repeat(32));

export const tokenSettings: readonly SettingCase[] = [
  {
    name: 'SLUICE_JWT_SECRET',
    key: 'jwtSecrets',
    byDefault: [],
    good: [
      ['s'.repeat(32), ['s'.repeat(32)]],
      // The length counts in bytes, not in characters.
      ['é'.repeat(16), ['é'.repeat(16)]],
      [` ${'n'.repeat(32)} , ${'o'.repeat(40)},\n`, ['n'.repeat(32), 'o'.repeat(40)]],
      [ten.join(','), ten],
    ],
    bad: [
      's'.repeat(31),
      'secret',
      ',',
      // Each part has to be long enough. A secret with a comma is therefore refused.
      `${'s'.repeat(20)},${'s'.repeat(20)}`,
      `${'s'.repeat(32)},short`,
      [...ten, 'x'.repeat(32)].join(','),
      `"${'n'.repeat(32)}",x${'o'.repeat(40)}`,
      `x${'n'.repeat(32)},'${'o'.repeat(40)}'`,
      // One secret on each line, as in a file: a comma then belongs to the secret.
      `${'n'.repeat(32)}\n${'o'.repeat(32)}`,
      `${'n'.repeat(32)}\r\n${'o'.repeat(32)},${'p'.repeat(32)}`,
      // The file's bytes are not UTF-8, so decoding would change the secret.
      Buffer.alloc(48, 0xe9).toString('utf8'),
      Buffer.from(`\ufeff${'n'.repeat(32)}`, 'utf16le').toString('utf8'),
    ],
  },
  {
    name: 'SLUICE_JWT_PUBLIC_KEY',
    key: 'jwtPublicKey',
    byDefault: undefined,
    good: [
      ...[rsa, ec, ed].map(({ publicKey: key }) => [pem(key, 'spki'), pem(key, 'spki')] as const),
      // PEM in one line, as variables often hold it.
      [publicKey.replaceAll('\n', String.raw`\n`), publicKey],
    ],
    bad: [
      'not a key',
      '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
      pem(rsa.privateKey, 'pkcs8'),
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'spki'),
      pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey, 'spki'),
      pem(generateKeyPairSync('x25519').publicKey, 'spki'),
    ],
  },
  {
    name: 'SLUICE_JWKS_URL',
    key: 'jwksUrl',
    byDefault: undefined,
    good: [
      ['https://id.example.com/jwks', 'https://id.example.com/jwks'],
      ['http://id:8080/jwks', 'http://id:8080/jwks'],
    ],
    bad: ['id.example.com/jwks', 'file:///etc/jwks', 'https://user:pass@id.example.com/jwks', 'https://'],
  },
  {
    name: 'SLUICE_JWT_ISSUER',
    key: 'jwtIssuer',
    byDefault: undefined,
    good: [['https://id.example.com', 'https://id.example.com']],
    bad: [],
  },
  {
    name: 'SLUICE_JWT_AUDIENCE',
    key: 'jwtAudience',
    byDefault: undefined,
    good: [['sluice', 'sluice']],
    bad: [],
  },
  {
    name: 'SLUICE_JWT_CLOCK_TOLERANCE',
    key: 'jwtClockTolerance',
    byDefault: 5_000,
    good: [
      ['0s', 0],
      ['1m', 60_000],
    ],
    bad: ['5', '-1s', '11m', 'none'],
  },
  {
    name: 'SLUICE_CORS_ORIGINS',
    key: 'corsOrigins',
    byDefault: [],
    good: [
      ['https://app.example.com', ['https://app.example.com']],
      ['http://localhost:5173, https://b.example', ['http://localhost:5173', 'https://b.example']],
      ['*', ['*']],
      ['https://*.example.com,https://example.com', ['https://*.example.com', 'https://example.com']],
      ['capacitor://localhost, tauri://localhost', ['capacitor://localhost', 'tauri://localhost']],
    ],
    bad: [
      '*,https://a.example',
      'https://*.example.com,*',
      'app.example.com',
      'https://app.example.com/',
      'https://app.example.com/path',
      'https://app.example.com:443',
      'https://*.com',
      'file://',
      'https://APP.example.com',
      'null',
      'ws://app.example.com',
    ],
  },
  {
    name: 'SLUICE_HEADERS',
    key: 'headers',
    byDefault: {},
    good: [
      ['{}', {}],
      ['{"X-Region": "eu-1"}', { 'x-region': 'eu-1' }],
    ],
    bad: ['X-Region: eu-1', '["X-Region"]', '[]', 'null', '1', '{"X-Region":'],
  },
];
