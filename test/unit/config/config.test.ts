import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../../src/config/config.ts';
import { settings as plainSettings } from './setting-cases.ts';
import { tlsSettings } from './tls-setting-cases.ts';
import { publicKey } from './token-key-cases.ts';

/** The problems that stop the start, line by line. */
function problemsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    loadConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const PEM = tlsSettings.map(({ name }) => name);
const settings = [...plainSettings, ...tlsSettings];
const SECRET = new Set([
  'SLUICE_PUBLISH_KEYS',
  'SLUICE_JWT_SECRET',
  'SLUICE_JWT_PUBLIC_KEY',
  'REDIS_URL',
  'SLUICE_CHANNELS',
  ...PEM,
]);
const OPENING = new Set([
  'SLUICE_JWT_SECRET',
  'SLUICE_JWT_PUBLIC_KEY',
  'SLUICE_JWKS_URL',
  'SLUICE_PUBLIC_CHANNELS',
]);
const good = settings.flatMap(({ name, key, good: values, beside }) =>
  values.map(([given, value]) => ({ name, key, given, value, beside })),
);
const bad = settings.flatMap(({ name, bad: values, beside }) =>
  values.map((given) => ({ name, given, beside })),
);

/** Removes the line break at the end of a PEM. */
function trimmed(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value;
}

describe('a setting has a default', () => {
  test.each(settings)('$name', ({ name, key, byDefault }) => {
    expect(loadConfig({})[key]).toEqual(byDefault);
    // compose passes on unset variables as ''. Settings for which '' could open the broker are in fail-open.test.ts.
    if (!OPENING.has(name)) expect(loadConfig({ [name]: '' })[key]).toEqual(byDefault);
  });

  test('and this table lists every setting', () => {
    // Settings from OpenTelemetry's variables are in tracing.test.ts, warnings are in warnings.test.ts.
    const keys = [...settings.map(({ key }) => key), 'shown', 'tracing', 'warnings'];
    expect(Object.keys(loadConfig({})).toSorted()).toEqual(keys.toSorted());
  });
});

describe('a setting is read', () => {
  test.each(good)('$name=$given', ({ name, key, given, value, beside }) => {
    expect(trimmed(loadConfig({ ...beside, [name]: given })[key])).toEqual(trimmed(value));
  });

  test('and the configuration is frozen', () => {
    expect(Object.isFrozen(loadConfig({}))).toBe(true);
  });
});

describe('the settings that may be shown', () => {
  test('are those that have a value, as they were written, or the defaults', () => {
    const { shown } = loadConfig({ SLUICE_HISTORY_TTL: ' 90m ', SLUICE_CHANNELS: '[{"match":"a"}]' });
    expect(shown).toMatchObject({
      PORT: '3000',
      SLUICE_HISTORY_TTL: '90m',
      SLUICE_CHANNELS: '[{"match":"a"}]',
    });
    expect(shown).toHaveProperty('SLUICE_PUBLIC_CHANNELS', '*');
    expect(shown).not.toHaveProperty('SLUICE_MAX_CONNECTIONS');
    expect(loadConfig({ SLUICE_JWKS_URL: 'https://a.example/k' }).shown).toMatchObject({
      SLUICE_JWKS_URL: 'https://a.example/k',
      SLUICE_PUBLIC_CHANNELS: '',
    });
  });

  test.each(good.filter(({ name }) => SECRET.has(name) && name !== 'SLUICE_CHANNELS'))(
    'never show $name',
    ({ name, given, beside }) => {
      expect(loadConfig({ ...beside, [name]: given }).shown[name]).toBe('set');
    },
  );

  test('do not show a URL that may hold a key', () => {
    expect(loadConfig({ SLUICE_JWKS_URL: 'https://a.example/k?key=7' }).shown['SLUICE_JWKS_URL']).toBe('set');
  });
});

describe('a setting that cannot be read stops the start', () => {
  test.each(bad)('$name=$given', ({ name, given, beside }) => {
    const problems = problemsOf({ ...beside, [name]: given });
    expect(problems).toHaveLength(1);
    const [problem = ''] = problems;
    const [, shown, example = ''] = /^\w+ is (.+); expected .{3,}\. Example: (.+)$/.exec(problem) ?? [];
    expect(problem.startsWith(`${name} is `)).toBe(true);
    expect(problem).not.toMatch(/invalid/i);
    // URLs count as secrets: they may contain a password or a key.
    const isSecret = SECRET.has(name) || /[@?]/.test(given);
    expect(shown).toBe(isSecret ? 'a hidden value' : `"${given}"`);
    // A broker starts with the example from the message.
    const [exampleName = '', exampleValue = ''] = example.split(/=(.*)/);
    if (PEM.includes(name)) {
      expect(example).toMatch(new RegExp(`^${name}_FILE=/`));
      return;
    }
    expect(exampleName).toBe(name);
    expect(problemsOf({ [exampleName]: exampleValue })).toEqual([]);
  });

  test.each(['0.0.0.0/0', '::/0', '0.0.0.0/1'])('and trusted proxies such as %s are too wide', (networks) => {
    expect(problemsOf({ SLUICE_TRUSTED_PROXIES: networks })).toEqual([expect.stringContaining('too wide')]);
  });

  test('and all of them are reported together', () => {
    const problems = problemsOf({ PORT: 'x', SLUICE_RETRY: '0', SLUICE_HEARBEAT: '1s' });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'SLUICE_RETRY',
      'SLUICE_HEARBEAT',
    ]);
  });
});

test('events are kept in Redis or in a folder, and not in both', () => {
  expect(problemsOf({ REDIS_URL: 'redis://localhost', SLUICE_DATA_DIR: '/data' })).toEqual([
    'REDIS_URL and SLUICE_DATA_DIR are set. Keep only one: it keeps the events.',
  ]);
});

describe('tokens are verified with one key', () => {
  const keys: Record<string, string> = {
    SLUICE_JWT_SECRET: 'x'.repeat(32),
    SLUICE_JWT_PUBLIC_KEY: publicKey,
    SLUICE_JWKS_URL: 'https://id.example.com/jwks',
  };
  const names = Object.keys(keys);

  test.each(names)('%s, and not with a second one', (name) => {
    for (const other of names.filter((one) => one !== name)) {
      const [problem = '', ...more] = problemsOf({ [name]: keys[name], [other]: keys[other] });
      expect(more).toEqual([]);
      expect(problem).toContain(name);
      expect(problem).toContain(other);
      expect(problem).toContain('Keep only one');
      expect(problem).not.toContain('xxxx');
    }
  });

  test.each(names)('with %s no channel is public unless it is listed', (name) => {
    const env = { [name]: keys[name] };
    expect(loadConfig(env).publicChannels).toEqual([]);
    expect(loadConfig({ ...env, SLUICE_PUBLIC_CHANNELS: '' }).publicChannels).toEqual([]);
    expect(loadConfig({ ...env, SLUICE_PUBLIC_CHANNELS: '*' }).publicChannels).toEqual(['*']);
    expect(loadConfig({ ...env, SLUICE_PUBLIC_CHANNELS: 'news' }).publicChannels).toEqual(['news']);
  });
});
