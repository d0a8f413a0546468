import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/config.ts';
import type { Machine } from '../../../src/config/machine.ts';

const GIB = 1024 ** 3;
const LARGE = { memory: 8 * GIB, openFiles: 100_000 };

const warningsOf = (env: NodeJS.ProcessEnv, machine: Machine = LARGE): readonly string[] =>
  loadConfig(env, machine).warnings;

test('sound settings give no warning', () => {
  expect(warningsOf({})).toEqual([]);
  expect(warningsOf({ SLUICE_PUBLISH_KEYS: 'k'.repeat(16) })).toEqual([]);
  expect(warningsOf({ SLUICE_MAX_CONNECTIONS: '50000', SLUICE_MEMORY_BYTES: '4GiB' })).toEqual([]);
  expect(warningsOf({ SLUICE_TRUSTED_PROXIES: '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7' })).toEqual(
    [],
  );
});

describe('keys', () => {
  test.each(['changeme', 'hunter2', 'k'.repeat(15), `${'k'.repeat(20)},hunter2`])(
    '%s is a key that can be guessed',
    (keys) => {
      const warnings = warningsOf({ SLUICE_PUBLISH_KEYS: keys });
      expect(warnings).toEqual([expect.stringContaining('a key of fewer than 16 characters')]);
      expect(warnings.join('')).not.toContain(keys.split(',').at(-1));
    },
  );

  test('an example key of the documentation is a key that everybody knows', () => {
    const example = { SLUICE_JWT_SECRET: 'a-long-random-text-of-32-bytes-or-more' };
    expect(warningsOf(example)).toEqual([
      'SLUICE_JWT_SECRET holds an example from the documentation, which everybody knows.',
    ]);
  });
});

test.each([
  ['HOST', 'the broker listens on every address'],
  ['REDIS_URL', 'events are kept only in this process'],
  ['SLUICE_ADMIN_PORT', 'health and metrics are on PORT'],
  ['SLUICE_TLS_CERT', 'the broker does not use TLS'],
  ['SLUICE_TLS_CERT_FILE', 'the broker does not use TLS'],
])('an empty %s', (name, consequence) => {
  expect(warningsOf({ [name]: '' })).toEqual([expect.stringContaining(`is set, but empty: ${consequence}`)]);
});

test.each(['0.0.0.0/3', '64.0.0.0/5,32.0.0.0/4', '2000::/6'])(
  '%s covers too many addresses for trusted proxies',
  (networks) => {
    expect(warningsOf({ SLUICE_TRUSTED_PROXIES: networks })).toEqual([
      expect.stringContaining('more than a sixteenth of all addresses'),
    ]);
  },
);

describe("sizes beyond the machine's limits", () => {
  test('SLUICE_MEMORY_BYTES, plus a third, beside the process itself', () => {
    const small = { memory: GIB, openFiles: undefined };
    expect(warningsOf({ SLUICE_MEMORY_BYTES: '1GiB' }, small)).toEqual([
      'SLUICE_MEMORY_BYTES is 1024 MiB, and the process may use 1024 MiB. The log uses up to a third more than SLUICE_MEMORY_BYTES, and the process 150 MiB besides.',
    ]);
    expect(warningsOf({ SLUICE_MEMORY_BYTES: '700MiB' }, small)).toHaveLength(1);
    expect(warningsOf({ SLUICE_MEMORY_BYTES: '600MiB' }, small)).toEqual([]);
    // With Redis, the memory holds no events.
    expect(warningsOf({ SLUICE_MEMORY_BYTES: '1GiB', REDIS_URL: 'redis://h' }, small)).toEqual([]);
  });

  test('SLUICE_MAX_BODY_BYTES', () => {
    const env = { SLUICE_MAX_BODY_BYTES: '200MiB', SLUICE_MEMORY_BYTES: '100MiB' };
    expect(warningsOf(env)).toEqual([expect.stringContaining('The log has no room for the largest events')]);
    const small = { ...LARGE, memory: GIB / 2 };
    expect(warningsOf({ ...env, REDIS_URL: 'redis://h' }, small)).toEqual([
      expect.stringContaining('A few large publishes at once would use all of it'),
    ]);
  });

  test('SLUICE_MAX_CONNECTIONS, because each connection is an open file', () => {
    const env = { SLUICE_MAX_CONNECTIONS: '20000' };
    expect(warningsOf(env, { ...LARGE, openFiles: 20_000 })).toEqual([
      'SLUICE_MAX_CONNECTIONS is 20000, and the process may open 20000 files. Each stream needs one. Raise ulimit -n.',
    ]);
    expect(warningsOf(env, { ...LARGE, openFiles: 20_100 })).toEqual([]);
  });
});
