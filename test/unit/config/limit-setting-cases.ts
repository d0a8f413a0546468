import type { SettingCase } from './setting-cases.ts';

const MINUTE = 60_000;

/** The settings of `setting-cases.ts` by which the broker refuses clients. */
export const limitSettings: readonly SettingCase[] = [
  {
    name: 'SLUICE_MAX_CONNECTIONS_PER_IP',
    key: 'maxConnectionsPerIp',
    byDefault: Infinity,
    good: [['100', 100]],
    bad: ['0', '-1', '1.5'],
  },
  {
    name: 'SLUICE_MAX_CONNECTIONS_PER_SUBJECT',
    key: 'maxConnectionsPerSubject',
    byDefault: Infinity,
    good: [['10', 10]],
    bad: ['0', 'ten'],
  },
  {
    name: 'SLUICE_MAX_CHANNELS_PER_CONNECTION',
    key: 'maxChannelsPerConnection',
    byDefault: 100,
    good: [['20', 20]],
    bad: ['0', '10001', 'off'],
  },
  {
    name: 'SLUICE_MAX_HEADER_BYTES',
    key: 'maxHeaderBytes',
    byDefault: 16_384,
    good: [
      ['1KiB', 1_024],
      ['1MiB', 1_048_576],
    ],
    bad: ['1023', '2MiB', '16k'],
  },
  {
    name: 'SLUICE_HEAD_TIMEOUT',
    key: 'headTimeout',
    byDefault: 15_000,
    good: [
      ['100ms', 100],
      ['30s', 30_000],
    ],
    bad: ['99ms', '31s', '10'],
  },
  {
    name: 'SLUICE_PUBLISH_RATE_PER_KEY',
    key: 'publishRatePerKey',
    byDefault: undefined,
    good: [
      ['100/s', { limit: 100, window: 1_000 }],
      ['6000/m', { limit: 6_000, window: MINUTE }],
      ['1/h', { limit: 1, window: 60 * MINUTE }],
    ],
    bad: ['100', '0/s', '1.5/s', '100/d', '100/min', '/s', 'off', '-1/s', '100 / s'],
  },
  {
    name: 'SLUICE_PUBLISH_RATE_PER_IP',
    key: 'publishRatePerIp',
    byDefault: undefined,
    good: [
      ['50/s', { limit: 50, window: 1_000 }],
      ['50/S', { limit: 50, window: 1_000 }],
    ],
    bad: ['50', 's/50'],
  },
  {
    name: 'SLUICE_FAILED_AUTH_LIMIT',
    key: 'failedAuthLimit',
    byDefault: { limit: 60, window: MINUTE },
    good: [
      ['off', { limit: Infinity, window: 0 }],
      ['OFF', { limit: Infinity, window: 0 }],
      ['5/h', { limit: 5, window: 60 * MINUTE }],
    ],
    bad: ['0', '0/m', 'none', '60'],
  },
  {
    name: 'SLUICE_TRUSTED_PROXIES',
    key: 'trustedProxies',
    byDefault: [],
    good: [
      ['10.0.0.0/8, fd00::/8', ['10.0.0.0/8', 'fd00::/8']],
      ['192.0.2.1,::1', ['192.0.2.1', '::1']],
      ['::ffff:192.0.2.1', ['::ffff:192.0.2.1']],
      // The private networks of both families.
      [
        '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,fc00::/7',
        ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
      ],
      // Repeated networks count once.
      ['32.0.0.0/3,32.0.0.0/3,32.0.0.0/4', ['32.0.0.0/3', '32.0.0.0/3', '32.0.0.0/4']],
    ],
    bad: [
      '10.0.0.0/33',
      'fd00::/129',
      '0.0.0.0/0',
      '::/0',
      // Networks that together cover all addresses, or half of them.
      '0.0.0.0/1,128.0.0.0/1',
      '::/1,8000::/1',
      '0.0.0.0/1',
      '0.0.0.0/2,64.0.0.0/2',
      '192.0.0.0/2,10.0.0.0/8,128.0.0.0/2',
      '::ffff:0:0/96',
      '0.0.0.0/2,::ffff:64.0.0.0/98',
      '2000::/3',
      '2000::/4',
      '::zz',
      '::/x',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0',
      '10.0.0.0/255.0.0.0',
      'proxy.example',
      'loopback',
      'fe80::1%eth0',
      'true',
      '1',
    ],
  },
];
