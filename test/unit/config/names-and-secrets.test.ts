import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(content: string): string {
  const file = join(folder, `secret-${Math.random()}`);
  writeFileSync(file, content);
  return file;
}

describe('a name that begins with SLUICE_ and is no setting stops the start', () => {
  test.each([
    ['SLUICE_HEARBEAT', 'SLUICE_HEARTBEAT'],
    ['SLUICE_HEART_BEAT', 'SLUICE_HEARTBEAT'],
    ['SLUICE_PUBLISH_KEY', 'SLUICE_PUBLISH_KEYS'],
    ['SLUICE_PUBLISH_KEYS_FIL', 'SLUICE_PUBLISH_KEYS_FILE'],
    ['SLUICE_CORS_ORIGIN', 'SLUICE_CORS_ORIGINS'],
    ['SLUICE_MAX_BODY', undefined],
    ['SLUICE_COLOUR', undefined],
    ['SLUICE_', undefined],
  ])('%s: did you mean %s?', (name, suggestion) => {
    const way = suggestion === undefined ? 'All settings are in the README.' : `Did you mean ${suggestion}?`;
    expect(() => loadConfig({ [name]: 'x' })).toThrow(`${name} is not a setting of this version. ${way}`);
  });

  test('also when it is empty', () => {
    expect(() => loadConfig({ SLUICE_COLOUR: '' })).toThrow('SLUICE_COLOUR is not a setting');
  });

  test('without repeating its value, which may be a secret', () => {
    expect(() => loadConfig({ SLUICE_PUBLISH_KEY: 'hunter2' })).not.toThrow('hunter2');
  });
});

describe('other names are not looked at', () => {
  test.each([
    ['what others use', { PATH: '/bin', NODE_ENV: 'production', sluice_retry: 'x', SLUICEGATE: 'x' }],
    [
      'the links that Kubernetes makes of a Service called sluice',
      {
        SLUICE_SERVICE_HOST: '10.0.0.1',
        SLUICE_SERVICE_PORT: '3000',
        SLUICE_SERVICE_PORT_HTTP: '3000',
        SLUICE_PORT: 'tcp://10.0.0.1:3000',
        SLUICE_PORT_3000_TCP: 'tcp://10.0.0.1:3000',
        SLUICE_PORT_3000_TCP_ADDR: '10.0.0.1',
        SLUICE_PORT_3000_TCP_PORT: '3000',
        SLUICE_PORT_3000_TCP_PROTO: 'tcp',
      },
    ],
  ])('%s', (_what, env) => {
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });
});

describe('a secret can come from a file', () => {
  test('with or without a line break at its end', () => {
    for (const content of ['one,two', 'one,two\n', 'one,two\r\n'])
      expect(loadConfig({ SLUICE_PUBLISH_KEYS_FILE: fileWith(content) }).publishKeys).toEqual(['one', 'two']);
    const REDIS_URL_FILE = fileWith('redis://:secret@redis\n');
    expect(loadConfig({ REDIS_URL_FILE }).redisUrl).toBe('redis://:secret@redis');
  });

  test('but not from both', () => {
    const env = { SLUICE_PUBLISH_KEYS: 'one', SLUICE_PUBLISH_KEYS_FILE: fileWith('two') };
    expect(() => loadConfig(env)).toThrow('SLUICE_PUBLISH_KEYS and SLUICE_PUBLISH_KEYS_FILE are both set');
    expect(() => loadConfig({ ...env, SLUICE_PUBLISH_KEYS: '' })).not.toThrow();
    expect(() => loadConfig({ ...env, SLUICE_PUBLISH_KEYS_FILE: '' })).not.toThrow();
  });

  test('that must be there', () => {
    const missing = join(folder, 'missing');
    expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: missing })).toThrow(
      /^SLUICE_PUBLISH_KEYS_FILE names a file that cannot be read: .*missing/,
    );
    expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: folder })).toThrow('cannot be read');
  });

  test('while what is no secret cannot', () => {
    expect(() => loadConfig({ SLUICE_RETRY_FILE: fileWith('2s') })).toThrow(
      'SLUICE_RETRY_FILE is not a setting',
    );
  });
});

const SECRET = 'hunter2 of thirty-two bytes or more';

describe('blanks and line breaks around a value are not part of it', () => {
  const keys = ['one', 'two'];

  test.each(['', ' ', '\n', '\r\n', '\r\n\r\n', '\t', '\ufeff', '\u00a0'])('%j', (blank) => {
    const around = (value: string): string => `${blank}${value}${blank}`;
    const secret = around(SECRET);
    expect(loadConfig({ SLUICE_JWT_SECRET: secret }).jwtSecrets).toEqual([SECRET]);
    expect(loadConfig({ SLUICE_JWT_SECRET_FILE: fileWith(secret) }).jwtSecrets).toEqual([SECRET]);
    expect(loadConfig({ SLUICE_PUBLISH_KEYS: around('one,two') }).publishKeys).toEqual(keys);
    expect(loadConfig({ SLUICE_PUBLISH_KEYS_FILE: fileWith(around('one,two')) }).publishKeys).toEqual(keys);
    expect(loadConfig({ REDIS_URL: around('redis://redis') }).redisUrl).toBe('redis://redis');
    expect(loadConfig({ SLUICE_JWT_ISSUER: around('https://id') }).jwtIssuer).toBe('https://id');
    expect(loadConfig({ SLUICE_JWT_AUDIENCE: around('sluice') }).jwtAudience).toBe('sluice');
    expect(loadConfig({ SLUICE_HEARTBEAT: around('1s'), PORT: around('80') })).toMatchObject({
      heartbeat: 1_000,
      port: 80,
    });
    // One of nothing else is none.
    expect(loadConfig({ SLUICE_JWT_ISSUER: blank }).jwtIssuer).toBeUndefined();
  });
});

describe('quotes around a value are refused, and said to be there', () => {
  test.each([
    ['SLUICE_JWT_SECRET', SECRET],
    ['SLUICE_PUBLISH_KEYS', 'hunter2'],
    ['SLUICE_PUBLISH_KEYS', 'hunter2,two'],
    ['SLUICE_PUBLISH_KEYS', 'one","hunter2'],
    ['REDIS_URL', 'redis://:hunter2@redis'],
    ['SLUICE_JWT_ISSUER', 'https://id'],
    ['SLUICE_JWT_AUDIENCE', 'sluice'],
    ['SLUICE_TOKEN_COOKIE', 'name'],
    ['SLUICE_CORS_ORIGINS', 'https://app.example.com'],
    ['PORT', '3000'],
  ])('%s', (name, value) => {
    for (const quote of ['"', "'", '\n"', " '"]) {
      const quoted = `${quote}${value}${quote.trim()}\n`;
      const envs = [{ [name]: quoted }];
      if (/SECRET|KEYS|REDIS/.test(name)) envs.push({ [`${name}_FILE`]: fileWith(quoted) });
      for (const env of envs) {
        expect(() => loadConfig(env)).toThrow(
          new RegExp(`^${name} is in quotes, which would be part of it; leave them out\\.$`),
        );
      }
    }
  });

  test.each([
    ['SLUICE_PUBLISH_KEYS', 'one,"hunter2"'],
    ['SLUICE_PUBLISH_KEYS', "'hunter2',one"],
    ['SLUICE_JWT_SECRET', `a${SECRET},"${SECRET}"`],
  ])('also around one of several: %s=%s', (name, value) => {
    expect(() => loadConfig({ [name]: value })).toThrow('without quotes');
    expect(() => loadConfig({ [name]: value })).not.toThrow('hunter2');
  });

  test('but not one that belongs to it', () => {
    expect(loadConfig({ SLUICE_PUBLISH_KEYS: '"one,tw"o,thr\'ee' }).publishKeys).toEqual([
      '"one',
      'tw"o',
      "thr'ee",
    ]);
  });
});

describe('a secret that cannot be read is not repeated', () => {
  test.each([
    ['SLUICE_PUBLISH_KEYS', 'hunter2 with blanks'],
    ['REDIS_URL', 'http://user:hunter2@redis'],
    ['REDIS_URL', 'user:hunter2@redis'],
    ['REDIS_URL', 'redis://user:1?hunter2@redis'],
    ['REDIS_URL', 'redis://user:1?hunter2=3&x@redis'],
    ['REDIS_URL', 'redis://user:1/hunter2@redis'],
    ['REDIS_URL', 'redis://user:1#hunter2@redis'],
    ['REDIS_URL', 'redis://user:%hunter2@redis'],
  ])('%s=%s', (name, value) => {
    for (const env of [{ [name]: value }, { [`${name}_FILE`]: fileWith(value) }]) {
      expect(() => loadConfig(env)).toThrow(`${name} is a value that is not shown here`);
      expect(() => loadConfig(env)).not.toThrow('hunter2');
    }
  });
});
