import { createAuthority } from '../../support/certificates.ts';
import type { SettingCase } from './setting-cases.ts';

const authority = createAuthority();
const { cert, key } = authority.issue();
const chain = `${cert}${authority.cert}`;
const cut = (pem: string): string => pem.replace(/\n.*\n/, '\n');

/** The settings whose values are text in PEM. */
export const tlsSettings: readonly SettingCase[] = [
  {
    name: 'SLUICE_REDIS_TLS_CA',
    key: 'redisTlsCa',
    byDefault: undefined,
    good: [
      [authority.cert, authority.cert],
      [chain, chain],
    ],
    bad: ['/etc/ssl/ca.crt', key, cut(authority.cert), `${cert}${cut(cert)}`],
    beside: { REDIS_URL: 'rediss://redis' },
  },
  {
    name: 'SLUICE_REDIS_TLS_CERT',
    key: 'redisTlsCert',
    byDefault: undefined,
    good: [[chain, chain]],
    bad: [cut(cert)],
    beside: { REDIS_URL: 'rediss+cluster://redis', SLUICE_REDIS_TLS_KEY: key },
  },
  {
    name: 'SLUICE_REDIS_TLS_KEY',
    key: 'redisTlsKey',
    byDefault: undefined,
    good: [[key, key]],
    bad: [cut(key)],
    beside: { REDIS_URL: 'rediss+sentinel://redis/name', SLUICE_REDIS_TLS_CERT: cert },
  },
  {
    name: 'SLUICE_TLS_CERT',
    key: 'tlsCert',
    byDefault: undefined,
    good: [
      [cert, cert],
      [chain, chain],
    ],
    bad: ['tls.crt', key, cut(cert)],
    beside: { SLUICE_TLS_KEY: key },
  },
  {
    name: 'SLUICE_TLS_KEY',
    key: 'tlsKey',
    byDefault: undefined,
    good: [[key, key]],
    bad: ['tls.key', cert, cut(key)],
    beside: { SLUICE_TLS_CERT: cert },
  },
];
