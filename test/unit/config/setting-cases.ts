import type { Config } from '../../../src/config/config.ts';
import { limitSettings } from './limit-setting-cases.ts';
import { logSettings } from './log-setting-cases.ts';
import { tokenSettings } from './token-key-cases.ts';

const MINUTE = 60_000;
const MIB = 1024 ** 2;

export interface SettingCase {
  readonly name: string;
  readonly key: keyof Config;
  readonly byDefault: unknown;
  /** Valid texts, and the values that they stand for. */
  readonly good: readonly (readonly [given: string, value: unknown])[];
  readonly bad: readonly string[];
  /** Other settings that this one needs. */
  readonly beside?: Readonly<Record<string, string>>;
}

export const settings: readonly SettingCase[] = [
  {
    name: 'PORT',
    key: 'port',
    byDefault: 3000,
    good: [
      ['0', 0],
      ['8080', 8080],
      ['65535', 65_535],
    ],
    bad: ['65536', '-1', '80.5', 'http', '0x50', '1e3'],
  },
  {
    name: 'HOST',
    key: 'host',
    byDefault: '0.0.0.0',
    good: [
      ['127.0.0.1', '127.0.0.1'],
      ['::', '::'],
      ['[::1]', '::1'],
    ],
    bad: [],
  },
  {
    name: 'LOG_LEVEL',
    key: 'logLevel',
    byDefault: 'info',
    good: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].flatMap((level) => [
      [level, level],
      [level.toUpperCase(), level],
    ]),
    bad: ['verbose', 'warning', '30'],
  },
  ...logSettings,
  {
    name: 'SLUICE_PUBLISH_KEYS',
    key: 'publishKeys',
    byDefault: [],
    good: [
      ['one', ['one']],
      ['one,two', ['one', 'two']],
      [' one , two,, ', ['one', 'two']],
    ],
    bad: ['two words', 'clé', 'k'.repeat(513)],
  },
  ...tokenSettings,
  {
    name: 'SLUICE_TOKEN_COOKIE',
    key: 'tokenCookie',
    byDefault: 'sluice_token',
    good: [
      ['__Host-sluice', '__Host-sluice'],
      ['a.b', 'a.b'],
    ],
    bad: ['a b', 'a=b', 'a;b', 'a,b', 'a"b', 'clé', 'n'.repeat(101)],
  },
  {
    name: 'SLUICE_PUBLIC_CHANNELS',
    key: 'publicChannels',
    byDefault: ['*'],
    good: [
      ['news,public.*', ['news', 'public.*']],
      ['*', ['*']],
      [',', []],
    ],
    bad: ['a*b', '**', 'a b', 'news,a/b', '*.public'],
  },
  {
    name: 'SLUICE_REVOCATION_TTL',
    key: 'revocationTtl',
    byDefault: 1_440 * MINUTE,
    good: [
      ['1s', 1_000],
      ['365d', 365 * 1_440 * MINUTE],
    ],
    bad: ['86400', '0s', '366d', 'never'],
  },

  {
    name: 'SLUICE_HISTORY_SIZE',
    key: 'historySize',
    byDefault: 1_000,
    good: [
      ['1', 1],
      ['10000000', 10_000_000],
    ],
    bad: ['0', '-1', '10000001', '1.5', '1k', 'all'],
  },
  {
    name: 'SLUICE_HISTORY_TTL',
    key: 'historyTtl',
    byDefault: 60 * MINUTE,
    good: [
      ['1s', 1_000],
      ['1500ms', 1_500],
      ['1.5m', 1.5 * MINUTE],
      ['24h', 1_440 * MINUTE],
      ['7d', 10_080 * MINUTE],
      ['1H', 60 * MINUTE],
      ['1500MS', 1_500],
    ],
    bad: ['3600', '999ms', '1 h', 'h', '-1h', '1h30m', 'forever', '1.h', '.5h'],
  },
  {
    name: 'SLUICE_CHANNELS',
    key: 'channels',
    byDefault: [],
    good: [
      ['[]', []],
      ['[{"match":"a"}]', [{ match: 'a', history: {}, isPublic: undefined }]],
      [
        '[ {"match": "*", "public": false, "history": {"ttl": "1D", "size": 0}} ]',
        [{ match: '*', history: { size: 0, ttl: 1_440 * MINUTE }, isPublic: false }],
      ],
    ],
    bad: ['chat.*', '{"match":"a"}', '{}', 'null', '1', '[{"match":"a"}'],
  },
  {
    name: 'SLUICE_MEMORY_BYTES',
    key: 'memoryBytes',
    byDefault: 256 * MIB,
    good: [
      ['65536', 65_536],
      ['64KiB', 65_536],
      ['2MiB', 2 * MIB],
      ['1GiB', 1_024 * MIB],
      ['256mib', 256 * MIB],
      ['64KIB', 65_536],
    ],
    bad: ['65535', '1MB', '1 MiB', '1.5MiB', '-1', 'lots', '99999999999999GiB'],
  },
  {
    name: 'SLUICE_HEARTBEAT',
    key: 'heartbeat',
    byDefault: 15_000,
    good: [
      ['100ms', 100],
      ['1m', MINUTE],
    ],
    bad: ['15', '0s', '99ms', '25d'],
  },
  {
    name: 'SLUICE_RETRY',
    key: 'retry',
    byDefault: 2_000,
    good: [
      ['500ms', 500],
      ['10m', 10 * MINUTE],
    ],
    bad: ['499ms', '601s', '0s', '2'],
  },
  {
    name: 'SLUICE_COMPRESSION',
    key: 'compression',
    byDefault: true,
    good: [
      ['off', false],
      ['ON', true],
    ],
    bad: ['gzip', 'zstd,gzip', 'yes', '1'],
  },
  {
    name: 'SLUICE_STALL_TIMEOUT',
    key: 'stallTimeout',
    byDefault: 30_000,
    good: [['1s', 1_000]],
    bad: ['0s', '30', 'never'],
  },
  {
    name: 'SLUICE_DRAIN_WINDOW',
    key: 'drainWindow',
    byDefault: 10_000,
    good: [
      ['0s', 0],
      ['1m', MINUTE],
    ],
    bad: ['10', '-1s'],
  },
  {
    name: 'SLUICE_MAX_CONNECTIONS',
    key: 'maxConnections',
    byDefault: Infinity,
    good: [
      ['1', 1],
      ['20000', 20_000],
    ],
    bad: ['0', 'Infinity', '2e4'],
  },
  {
    name: 'SLUICE_MAX_CONNECTION_AGE',
    key: 'maxConnectionAge',
    byDefault: 60 * MINUTE,
    good: [
      ['1s', 1_000],
      ['2h', 120 * MINUTE],
      ['off', Infinity],
      ['OFF', Infinity],
    ],
    bad: ['0s', '0', '3600', 'never', '25d'],
  },
  {
    name: 'SLUICE_MAX_BODY_BYTES',
    key: 'maxBodyBytes',
    byDefault: MIB,
    good: [
      ['1', 1],
      ['256KiB', 262_144],
      ['256MiB', 256 * MIB],
    ],
    bad: ['0', '1mb', '1M', '257MiB', '4GiB'],
  },
  {
    name: 'SLUICE_IDEMPOTENCY_TTL',
    key: 'idempotencyTtl',
    byDefault: 10 * MINUTE,
    good: [
      ['1s', 1_000],
      ['1d', 1_440 * MINUTE],
    ],
    bad: ['600', '0s'],
  },
  {
    name: 'SLUICE_CONSOLE',
    key: 'console',
    byDefault: true,
    good: [
      ['on', true],
      ['off', false],
      ['OFF', false],
    ],
    bad: ['no', 'false', '0'],
  },
  {
    name: 'SLUICE_ADMIN_PORT',
    key: 'adminPort',
    byDefault: undefined,
    good: [
      ['0', 0],
      ['9090', 9090],
    ],
    bad: ['65536', 'admin'],
  },
  ...limitSettings,
];
