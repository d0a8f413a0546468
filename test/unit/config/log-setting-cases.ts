import type { SettingCase } from './setting-cases.ts';

const MIB = 1024 ** 2;

/** The settings that say where events are kept. */
export const logSettings: readonly SettingCase[] = [
  {
    name: 'REDIS_URL',
    key: 'redisUrl',
    byDefault: undefined,
    good: [
      ['redis://localhost', 'redis://localhost'],
      ['rediss://user:pass@redis.example:6380/2', 'rediss://user:pass@redis.example:6380/2'],
      [
        'redis+sentinel://a:1,b:2/name/0?sentinelPassword=x',
        'redis+sentinel://a:1,b:2/name/0?sentinelPassword=x',
      ],
      ['rediss+cluster://:pass@a:1,b', 'rediss+cluster://:pass@a:1,b'],
      ['redis://[::1]:6380/0', 'redis://[::1]:6380/0'],
    ],
    bad: [
      'redis://localhost/abc',
      'redis://localhost/-1',
      'redis://localhost/1.5',
      'redis://localhost/0/1',
      'redis+sentinel://a/name/x',
      'redis+cluster://a/0',
      'redis://localhost?commandTimeout=20000&enableOfflineQueue=1',
      'redis://localhost/0?db=3',
      'redis+sentinel://a/name?role=slave',
      'redis+sentinel://a/name?sentinelTls=maybe',
      'redis+cluster://a?commandTimeout=1',
      'redis://localhost:0',
      'redis://localhost:65536',
      'redis://a,b',
      'redis://:%zz@localhost',
      'redis://localhost#0',
      'redis+sentinel://a:1,b:2',
      'redis+cluster://',
      'redis+other://a',
      'localhost:6379',
      'http://localhost:6379',
      'redis://',
      'redis',
    ],
  },
  {
    name: 'SLUICE_REDIS_PREFIX',
    key: 'redisPrefix',
    byDefault: 'sluice:',
    good: [
      ['staging:', 'staging:'],
      ['a'.repeat(100), 'a'.repeat(100)],
    ],
    bad: ['a b', '{tag}:', 'é:', 'a'.repeat(101)],
  },
  {
    name: 'SLUICE_REDIS_WAIT_REPLICAS',
    key: 'waitReplicas',
    byDefault: 0,
    good: [
      ['0', 0],
      ['2', 2],
    ],
    bad: ['-1', 'all', '101'],
  },
  {
    name: 'SLUICE_DATA_DIR',
    key: 'dataDir',
    byDefault: undefined,
    good: [
      ['/data', '/data'],
      ['my data', 'my data'],
    ],
    bad: [],
  },
  {
    name: 'SLUICE_DATA_BYTES',
    key: 'dataBytes',
    byDefault: 10 * 1024 * MIB,
    good: [
      ['16MiB', 16 * MIB],
      ['2gib', 2 * 1024 * MIB],
    ],
    bad: ['16777215', '15MiB', '1GB', 'all', '-1'],
  },
  {
    name: 'SLUICE_SYNC',
    key: 'sync',
    byDefault: 'always',
    good: [
      ['always', 'always'],
      ['1s', '1s'],
      ['1S', '1s'],
    ],
    bad: ['never', '2s', '1'],
  },
];
