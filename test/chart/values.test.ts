import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { FILE_SETTINGS, SETTINGS } from '../../src/config/settings.ts';
import { CHART } from '../support/helm.ts';

const read = (...path: readonly string[]): string => readFileSync(join(CHART, ...path), 'utf8');
const values = parse(read('values.yaml')) as Readonly<Record<string, unknown>>;

interface Schema {
  readonly properties: { readonly settings: { readonly properties: Readonly<Record<string, unknown>> } };
}
const schema = JSON.parse(read('values.schema.json')) as Schema & object;
const accepts = new Ajv({ allowUnionTypes: true, strictTypes: false, strictTuples: true }).compile(schema);
/** The values as helm merges them: the given settings over the defaults, one level deep. */
const withSettings = (settings: object): object => ({ ...values, settings });

const onDisk = { ...values, persistence: { enabled: true } };

describe('values.schema.json', () => {
  test('accepts values.yaml', () => {
    expect(accepts(values), JSON.stringify(accepts.errors)).toBe(true);
    expect(accepts(onDisk), JSON.stringify(accepts.errors)).toBe(true);
  });

  test('knows every setting of the broker, and the file variants of secrets', () => {
    const known = Object.keys(schema.properties.settings.properties);
    const names = [...Object.keys(SETTINGS), ...[...FILE_SETTINGS].map((name) => `${name}_FILE`)];
    const missing = names.filter((name) => !known.includes(name));
    expect(missing, 'Add them to the properties of settings in helm/sluice/values.schema.json.').toEqual([]);
  });

  test('accepts the example of every setting that is not a secret', () => {
    for (const [name, { example }] of Object.entries(SETTINGS)) {
      if (name === 'SLUICE_PUBLISH_KEYS') continue;
      const value = name.endsWith('PORT') ? Number(example) : example;
      const secret = FILE_SETTINGS.has(name) && name !== 'REDIS_URL';
      const settings = secret ? { secretKeyRef: { name: 'mine', key: name } } : value;
      expect(accepts(withSettings({ [name]: settings })), `${name}: ${JSON.stringify(accepts.errors)}`).toBe(
        true,
      );
    }
  });

  test.each([
    ['streams of any age', { SLUICE_MAX_CONNECTION_AGE: 'off' }],
    ['a log level in capital letters', { LOG_LEVEL: 'INFO' }],
    [
      'public channels of a ConfigMap',
      { SLUICE_PUBLIC_CHANNELS: { configMapKeyRef: { name: 'x', key: 'y' } } },
    ],
  ])('accepts %s', (_what, settings) => {
    expect(accepts(withSettings(settings)), JSON.stringify(accepts.errors)).toBe(true);
  });

  test.each([
    ['a misspelled setting', withSettings({ SLUICE_HISTROY_SIZE: 5 })],
    ['a duration without a unit', withSettings({ SLUICE_HEARTBEAT: 15 })],
    ['a size of an unknown unit', withSettings({ SLUICE_MEMORY_BYTES: '1GB' })],
    ['an unknown log level', withSettings({ LOG_LEVEL: 'loud' })],
    ['an age that is no time', withSettings({ SLUICE_MAX_CONNECTION_AGE: 'never' })],
    ['nothing where it would stand for everything', withSettings({ SLUICE_PUBLIC_CHANNELS: '' })],
    ['publish keys in plain text', withSettings({ SLUICE_PUBLISH_KEYS: 'everybody-sees-it' })],
    ['a password in a REDIS_URL', withSettings({ REDIS_URL: 'redis://:password@redis:6379' })],
    ["a Sentinel's password", withSettings({ REDIS_URL: 'redis+sentinel://s:1/m?sentinelPassword=x' })],
    ['a reference without a key', withSettings({ SLUICE_CORS_ORIGINS: { secretKeyRef: { name: 'x' } } })],
    ['an admin port that changes each time', withSettings({ SLUICE_ADMIN_PORT: 0 })],
    [
      'a drain window that the grace period cannot know',
      withSettings({ SLUICE_DRAIN_WINDOW: { secretKeyRef: {} } }),
    ],
    ['a value that is not one', { ...values, replicas: 3 }],
    ['replicas that are text', { ...values, replicaCount: '3' }],
    ['a setting past the settings', { ...values, extraEnv: [{ name: 'SLUICE_RETRY', value: '1s' }] }],
    ['replicas of a log on disk', { ...onDisk, replicaCount: 2 }],
    ['a log on disk that is scaled', { ...onDisk, autoscaling: { enabled: true } }],
    ['a log on disk beside a Redis', { ...onDisk, redis: { enabled: true } }],
    ['a log on disk beside a REDIS_URL', { ...onDisk, settings: { REDIS_URL: 'redis://redis' } }],
    ['a size that the log cannot know', { ...values, persistence: { enabled: true, size: '10' } }],
    ['a malformed digest', { ...values, image: { digest: 'latest' } }],
    ['a controller that is not known', { ...values, ingress: { controller: 'caddy' } }],
  ])('refuses %s', (_what, wrong) => {
    expect(accepts(wrong)).toBe(false);
  });
});

test("the chart's README lists exactly the chart's values, with their defaults", () => {
  const documented = [...read('README.md').matchAll(/^\| `([a-zA-Z.]+)` \| `([^`]+)` \|/gm)].map(
    ([, name = '', byDefault = '']) => [name, parse(byDefault) as unknown],
  );
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(leaves(values)));
});

/** Each value by its path. A value that is passed to Kubernetes unchanged counts as one. */
function leaves(tree: Readonly<Record<string, unknown>>, prefix = ''): [string, unknown][] {
  return Object.entries(tree).flatMap(([key, value]): [string, unknown][] => {
    const path = `${prefix}${key}`;
    const whole = /(?:^|\.)(?:resources|labels)$/.test(path);
    const branch = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (whole || !branch || Object.keys(value).length === 0) return [[path, value]];
    return leaves(value as Readonly<Record<string, unknown>>, `${path}.`);
  });
}

test("the chart's appVersion is the version of package.json", () => {
  const { version } = JSON.parse(read('../../package.json')) as { readonly version: string };
  expect(parse(read('Chart.yaml'))).toMatchObject({ appVersion: version });
});

/** Helm packs only the chart's folder, so the chart has copies of these files. */
test.each([
  ['deploy/prometheus/sluice.rules.yml', 'sluice.rules.yml'],
  ['deploy/grafana/sluice-dashboard.json', 'sluice-dashboard.json'],
])('the chart has an exact copy of %s', (original, copy) => {
  const from = join(CHART, '../..', original);
  // When the original does not exist yet, the chart's file is the only one.
  const expected = existsSync(from) ? readFileSync(from, 'utf8') : read('files', copy);
  expect(read('files', copy), `Copy it: cp ${original} helm/sluice/files/${copy}`).toBe(expected);
  expect(parse(read('files', copy))).toBeTypeOf('object');
});
