import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(content: string): string {
  const file = join(folder, `secret-${Math.random()}`);
  writeFileSync(file, content);
  return file;
}

/** The variables that Kubernetes sets for a service in the same namespace. */
function link(name: string, port: number): Record<string, string> {
  return {
    [`${name}_SERVICE_HOST`]: '10.0.0.1',
    [`${name}_SERVICE_PORT`]: String(port),
    [`${name}_SERVICE_PORT_HTTP`]: String(port),
    [`${name}_SERVICE_PORT_HTTP_2`]: String(port),
    [`${name}_PORT`]: `tcp://10.0.0.1:${port}`,
    [`${name}_PORT_${port}_TCP`]: `tcp://10.0.0.1:${port}`,
    [`${name}_PORT_${port}_TCP_ADDR`]: '10.0.0.1',
    [`${name}_PORT_${port}_TCP_PORT`]: String(port),
    [`${name}_PORT_${port}_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_53_UDP`]: 'udp://[fd00::1]:53',
    [`${name}_PORT_53_UDP_PROTO`]: 'udp',
    [`${name}_PORT_9_SCTP`]: 'sctp://10.0.0.1:9',
  };
}

describe('an unknown name that begins with SLUICE_ stops the start', () => {
  test.each([
    ['SLUICE_HEARBEAT', 'SLUICE_HEARTBEAT'],
    ['SLUICE_HEART_BEAT', 'SLUICE_HEARTBEAT'],
    ['SLUICE_PUBLISH_KEY', 'SLUICE_PUBLISH_KEYS'],
    ['SLUICE_PUBLISH_KEYS_FIL', 'SLUICE_PUBLISH_KEYS_FILE'],
    ['SLUICE_CORS_ORIGIN', 'SLUICE_CORS_ORIGINS'],
    ['SLUICE_MAX_BODY', undefined],
    ['SLUICE_COLOUR', undefined],
    ['SLUICE_', undefined],
    // A prefix of another program.
    ['SLUICE_PORT', 'PORT'],
    ['SLUICE_HOST', 'HOST'],
    ['SLUICE_LOG_LEVEL', 'LOG_LEVEL'],
    ['SLUICE_LOGLEVEL', 'LOG_LEVEL'],
    ['SLUICE_REDIS_URL', 'REDIS_URL'],
    ['SLUICE_REDIS_URL_FILE', 'REDIS_URL_FILE'],
    ['SLUICE_PROT', 'PORT'],
    // Names in another style, or with a mistake in the prefix.
    ['sluice_publish_keys', 'SLUICE_PUBLISH_KEYS'],
    ['Sluice_Retry', 'SLUICE_RETRY'],
    ['sluice.jwt.secret', 'SLUICE_JWT_SECRET'],
    ['SLUICE-PUBLISH-KEYS', 'SLUICE_PUBLISH_KEYS'],
    ['SLUCIE_JWT_SECRET', 'SLUICE_JWT_SECRET'],
    ['SLUCE_PUBLISH_KEYS_FILE', 'SLUICE_PUBLISH_KEYS_FILE'],
  ])('%s: did you mean %s?', (name, suggestion) => {
    const way =
      suggestion === undefined ? 'docs/operations.md lists all settings.' : `Did you mean ${suggestion}?`;
    expect(() => loadConfig({ [name]: 'x' })).toThrow(`${name} is not a setting of this version. ${way}`);
  });

  test('also with an empty value', () => {
    expect(() => loadConfig({ SLUICE_COLOUR: '' })).toThrow('SLUICE_COLOUR is not a setting');
  });

  test('and the message does not repeat the value, which may be a secret', () => {
    expect(() => loadConfig({ SLUICE_PUBLISH_KEY: 'hunter2' })).not.toThrow('hunter2');
  });
});

describe('a setting without its prefix', () => {
  test.each(['PUBLISH_KEYS', 'PUBLISH_KEYS_FILE', 'HISTORY_SIZE', 'MAX_CONNECTIONS_PER_IP'])(
    '%s stops the start, because no other program uses the name',
    (name) => {
      const start = (): unknown => loadConfig({ [name]: 'hunter2' });
      expect(start).toThrow(`${name} is not read. Did you mean SLUICE_${name}?`);
      expect(start).not.toThrow('hunter2');
    },
  );

  test('does not stop the start when it is empty, or when the right one is also set', () => {
    expect(() => loadConfig({ HISTORY_SIZE: '' })).not.toThrow();
    expect(() => loadConfig({ HISTORY_SIZE: 'x', SLUICE_HISTORY_SIZE: '7' })).not.toThrow();
    expect(() => loadConfig({ PUBLISH_KEYS: 'x', SLUICE_PUBLISH_KEYS_FILE: fileWith('one') })).not.toThrow();
  });

  test.each(['CORS_ORIGINS', 'TRUSTED_PROXIES', 'TLS_CERT_FILE', 'HEARTBEAT', 'JWT_AUDIENCE'])(
    '%s is a warning, because other programs use the name',
    (name) => {
      const { warnings, ...config } = loadConfig({ [name]: 'hunter2' });
      expect(warnings).toEqual([
        `${name} is not read. Did you mean SLUICE_${name}? Ignore this if it is for another program.`,
      ]);
      expect({ ...config, warnings: [] }).toEqual(loadConfig({}));
    },
  );
});

describe('other names are ignored', () => {
  test.each([
    [
      'common names of other programs',
      { PATH: '/bin', NODE_ENV: 'production', SLUICEGATE: 'x', sluice_home: 'x', REDIS_PORT: '1' },
    ],
    ['the links that Kubernetes makes of a Service called sluice', link('SLUICE', 3000)],
    ['of its neighbour sluice-redis', link('SLUICE_REDIS', 6379)],
    ['of its neighbour sluice-metrics', link('SLUICE_METRICS', 9090)],
    // One of these variables has the name of a setting.
    ['of its neighbour sluice-admin', link('SLUICE_ADMIN', 9090)],
    ['of its neighbour admin', link('ADMIN', 9090)],
    [
      'the links of Docker',
      {
        ...link('SLUICE_REDIS', 6379),
        SLUICE_REDIS_PORT_7000_TCP_START: 'tcp://172.17.0.2:7000',
        SLUICE_REDIS_PORT_7000_TCP_PORT_START: '7000',
        SLUICE_REDIS_PORT_7000_TCP_PORT_END: '7005',
        SLUICE_REDIS_NAME: '/web/sluice-redis',
        SLUICE_REDIS_ENV_REDIS_VERSION: '8.0.0',
        SLUICE_REDIS_ENV_LANG: 'C',
      },
    ],
  ])('%s', (_what, env: NodeJS.ProcessEnv) => {
    expect(loadConfig(env)).toEqual(loadConfig({}));
  });

  test.each([
    ['SLUICE_PORT', '8080'],
    ['SLUICE_REDIS_PORT', '6379'],
    ['SLUICE_REDIS_NAME', 'redis'],
    ['SLUICE_REDIS_ENV_LANG', 'C'],
    ['SLUICE_PORT_HTTP', '8080'],
  ])('but %s=%s is not a Kubernetes link', (name, value) => {
    expect(() => loadConfig({ [name]: value })).toThrow(`${name} is not a setting`);
  });
});

describe('a secret can be read from a file', () => {
  test('with or without a line break at its end', () => {
    for (const content of ['one,two', 'one,two\n', 'one,two\r\n'])
      expect(loadConfig({ SLUICE_PUBLISH_KEYS_FILE: fileWith(content) }).publishKeys).toEqual(['one', 'two']);
    const REDIS_URL_FILE = fileWith('redis://:secret@redis\n');
    expect(loadConfig({ REDIS_URL_FILE }).redisUrl).toBe('redis://:secret@redis');
  });

  test('but not when it is also set directly', () => {
    const env = { SLUICE_PUBLISH_KEYS: 'one', SLUICE_PUBLISH_KEYS_FILE: fileWith('two') };
    expect(() => loadConfig(env)).toThrow('SLUICE_PUBLISH_KEYS and SLUICE_PUBLISH_KEYS_FILE are both set');
    expect(() => loadConfig({ ...env, SLUICE_PUBLISH_KEYS: '' })).not.toThrow();
    expect(() => loadConfig({ ...env, SLUICE_PUBLISH_KEYS_FILE: '' })).not.toThrow();
  });

  test('and the file has to exist and have content', () => {
    const missing = join(folder, 'missing');
    expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: missing })).toThrow(
      /^SLUICE_PUBLISH_KEYS_FILE names a file that cannot be read: .*missing/,
    );
    expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: folder })).toThrow('cannot be read');
    // An unfilled secret is such a file.
    for (const content of ['', '\n'])
      expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: fileWith(content) })).toThrow(
        'SLUICE_PUBLISH_KEYS_FILE names an empty file.',
      );
  });

  test('but other settings cannot', () => {
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
    // A value of blanks alone is empty.
    expect(loadConfig({ SLUICE_JWT_ISSUER: blank }).jwtIssuer).toBeUndefined();
  });
});

describe('quotes around a value are refused, and the message mentions them', () => {
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
          new RegExp(`^${name} is in quotes, and the quotes would be part of the value\\. Remove them\\.$`),
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

  test('but a quote inside a value is accepted', () => {
    expect(loadConfig({ SLUICE_PUBLISH_KEYS: '"one,tw"o,thr\'ee' }).publishKeys).toEqual([
      '"one',
      'tw"o',
      "thr'ee",
    ]);
  });
});

describe('a secret that cannot be read is not repeated in the message', () => {
  test.each([
    ['SLUICE_PUBLISH_KEYS', 'hunter2 with blanks'],
    ['REDIS_URL', 'http://user:hunter2@redis'],
    ['REDIS_URL', 'user:hunter2@redis'],
    ['REDIS_URL', 'redis://user:1?hunter2@redis'],
    ['REDIS_URL', 'redis://user:1?hunter2=3&x@redis'],
    ['REDIS_URL', 'redis://user:1/hunter2@redis'],
    ['REDIS_URL', 'redis://user:1#hunter2@redis'],
    ['REDIS_URL', 'redis://user:%hunter2@redis'],
    ['REDIS_URL', 'redis://user:1@2/hunter2@redis'],
    ['REDIS_URL', 'redis+sentinel://redis/name?sentinelPassword=1&hunter2'],
    ['REDIS_URL', 'redis+sentinel://redis/name?sentinelPassword=1&hunter2=3'],
    ['REDIS_URL', 'redis+sentinel://redis/name?sentinelPassword=hunter2%'],
    ['REDIS_URL', 'redis+sentinel://redis/name?sentinelPassword=1@hunter2'],
  ])('%s=%s', (name, value) => {
    for (const env of [{ [name]: value }, { [`${name}_FILE`]: fileWith(value) }]) {
      expect(() => loadConfig(env)).toThrow(`${name} is a hidden value`);
      expect(() => loadConfig(env)).not.toThrow('hunter2');
    }
  });
});

test.each([
  ['SLUICE_JWKS_URL', 'https://user:hunter2@id.example.com/jwks'],
  ['SLUICE_JWKS_URL', 'https://user:hun/ter2@id.example.com/jwks'],
  ['SLUICE_JWKS_URL', 'id.example.com/jwks?key=hunter2'],
  ['SLUICE_CORS_ORIGINS', 'https://user:hunter2@app.example.com'],
])('a password in %s is not repeated: %s', (name, given) => {
  const start = (): unknown => loadConfig({ [name]: given });
  expect(start).toThrow(`${name} is a hidden value`);
  expect(start).not.toThrow(/hun\/?ter2/);
});
