import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/config.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');

interface Service {
  readonly environment?: Readonly<Record<string, string | number | null>>;
  readonly networks?: { readonly default: { readonly aliases: readonly string[] } };
  readonly [field: string]: unknown;
}

function servicesOf(file: string): Readonly<Record<string, Service>> {
  return (parse(read(file), { merge: true }) as { services: Readonly<Record<string, Service>> }).services;
}

/** A replica's environment in one of compose's files. */
function serviceEnvironment(file: string): Readonly<Record<string, string | number | null>> {
  const services = servicesOf(file);
  return (services['sluice-1'] ?? services['sluice'])?.environment ?? {};
}

/** Builds a replica's environment from compose's file and from .env. */
function environmentOf(dotEnv: NodeJS.Dict<string>, file = 'docker-compose.yml'): NodeJS.ProcessEnv {
  const given = Object.entries(serviceEnvironment(file));
  expect(given.length).toBeGreaterThan(10);
  return Object.fromEntries(
    given
      .map(([name, value]) => [name, value === null ? dotEnv[name] : interpolated(String(value), dotEnv)])
      .filter(([, value]) => value !== undefined),
  ) as NodeJS.ProcessEnv;
}

/** Replaces `${X:-default}`, the only form of variable in the file. */
function interpolated(text: string, dotEnv: NodeJS.Dict<string>): string {
  return text.replaceAll(
    /\$\{(\w+):-([^}]*)\}/g,
    (_, name: string, byDefault: string) => dotEnv[name] || byDefault,
  );
}

const DEMO_KEY = 'a key of fewer than 16 characters';

test.each([
  ['without .env', {}],
  ['with .env.example as .env', parseEnv(read('.env.example'))],
])('docker-compose.yml starts %s, and warns about the key alone', (_what, dotEnv) => {
  const config = loadConfig(environmentOf(dotEnv));
  expect(config).toMatchObject({ publishKeys: ['demo-key'], publicChannels: ['*'], jwtSecrets: [] });
  expect(config.warnings).toEqual([expect.stringContaining(DEMO_KEY)]);
});

test('docker-compose.disk.yml has the same settings, except those of the log', () => {
  const { REDIS_URL: _, ...others } = serviceEnvironment('docker-compose.yml');
  const { SLUICE_DATA_DIR, SLUICE_DATA_BYTES, SLUICE_SYNC, ...same } =
    serviceEnvironment('docker-compose.disk.yml');
  expect(same).toEqual(others);
  expect(SLUICE_DATA_DIR).toBe('/data');
  expect([SLUICE_DATA_BYTES, SLUICE_SYNC]).not.toContain(undefined);
  expect(loadConfig(environmentOf(parseEnv(read('.env.example')), 'docker-compose.disk.yml'))).toMatchObject({
    redisUrl: undefined,
    dataDir: '/data',
    dataBytes: 10 * 1024 ** 3,
    sync: 'always',
  });
});

test('docker-compose.disk.yml has the same edge, which finds the replica by its names', () => {
  const { depends_on: _, ...edge } = servicesOf('docker-compose.yml')['edge'] ?? {};
  const services = servicesOf('docker-compose.disk.yml');
  expect(services['edge']).toMatchObject(edge);
  const [, upstreams = ''] = /reverse_proxy (?:@body )?(.*) \{/.exec(read('deploy/Caddyfile')) ?? [];
  const names = upstreams.split(' ').map((upstream) => upstream.replace(':3000', ''));
  expect(services['sluice']?.networks?.default.aliases).toEqual(names);
});

test('settings in .env reach the broker', () => {
  const secret = 'q7'.repeat(16);
  const env = environmentOf({ SLUICE_JWT_SECRET: secret, SLUICE_PUBLIC_CHANNELS: 'news' });
  expect(loadConfig(env)).toMatchObject({ jwtSecrets: [secret], publicChannels: ['news'] });
});

test('a secret that is empty in .env stops the start', () => {
  expect(() => loadConfig(environmentOf({ SLUICE_JWT_SECRET: '' }))).toThrow(
    'SLUICE_JWT_SECRET is set, but empty',
  );
});
