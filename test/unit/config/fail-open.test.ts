import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/config.ts';
import { publicKey } from './token-key-cases.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-fail-open-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SECRET = 'q7'.repeat(16);
const TOKEN_KEYS = {
  SLUICE_JWT_SECRET: SECRET,
  SLUICE_JWT_PUBLIC_KEY: publicKey,
  SLUICE_JWKS_URL: 'https://id.example.com/jwks',
};
const names = Object.keys(TOKEN_KEYS) as (keyof typeof TOKEN_KEYS)[];

// What a variable of a compose file is that nobody has set.
describe('a key for tokens that is set, but empty, opens nothing', () => {
  test.each([...names, 'SLUICE_JWT_SECRET_FILE', 'SLUICE_JWT_PUBLIC_KEY_FILE'])('%s', (name) => {
    expect(() => loadConfig({ [name]: '' })).toThrow(
      `${name.replace('_FILE', '')} is set, but empty. Without a key for tokens, every channel would be public.`,
    );
    expect(() => loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: '' })).toThrow('is set, but empty');
  });

  test.each(names)('%s may be empty where another is set, or it is said what is public', (name) => {
    const other = names.find((one) => one !== name) as keyof typeof TOKEN_KEYS;
    expect(loadConfig({ [name]: '', [other]: TOKEN_KEYS[other] }).publicChannels).toEqual([]);
    expect(loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: 'news' }).publicChannels).toEqual(['news']);
    expect(loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: '*' }).publicChannels).toEqual(['*']);
  });

  test.each([...names, 'SLUICE_JWT_SECRET_FILE'])('nor does %s that has lost its prefix', (name) => {
    const bare = name.replace('SLUICE_', '');
    const start = (more: object = {}): unknown => loadConfig({ [bare]: 'hunter2', ...more });
    expect(start).toThrow(
      `${bare} is not read. Without ${name.replace('_FILE', '')}, every channel would be public.`,
    );
    expect(start).not.toThrow('hunter2');
    // It is another program's.
    expect(() => start({ SLUICE_PUBLIC_CHANNELS: '*' })).not.toThrow();
    expect(() => start({ SLUICE_JWT_SECRET: SECRET })).not.toThrow();
  });
});

describe('SLUICE_PUBLIC_CHANNELS that is set, but empty', () => {
  test('does not mean all', () => {
    expect(() => loadConfig({ SLUICE_PUBLIC_CHANNELS: '' })).toThrow(
      'SLUICE_PUBLIC_CHANNELS is set, but empty, and there is no key for tokens',
    );
    expect(loadConfig({ SLUICE_PUBLIC_CHANNELS: ',' }).publicChannels).toEqual([]);
  });

  test('means none where there is a key for tokens', () => {
    expect(loadConfig({ SLUICE_PUBLIC_CHANNELS: '', SLUICE_JWT_SECRET: SECRET }).publicChannels).toEqual([]);
  });
});

test.each(['SLUICE_JWT_ISSUER', 'SLUICE_JWT_AUDIENCE'])(
  '%s that is set, but empty, allows nobody',
  (name) => {
    expect(() => loadConfig({ [name]: '', SLUICE_JWT_SECRET: SECRET })).toThrow(
      `${name} is set, but empty. The broker would accept every token that is signed with the key.`,
    );
    expect(() => loadConfig({ [name]: '' })).not.toThrow();
  },
);

describe('a secret that is none stops the start', () => {
  const templates = ['${X}', '$(X)', '{{.Values.key}}', '<your-key>', '%X%', '$KEYS'];
  test.each(['0', '1', '9', 'null', 'undefined', 'None', 'nil', 'NaN', 'true', 'false', ...templates])(
    'the publish key %s',
    (key) => {
      expect(() => loadConfig({ SLUICE_PUBLISH_KEYS: key })).toThrow(
        /^SLUICE_PUBLISH_KEYS holds a (?:placeholder|template)/,
      );
      expect(() => loadConfig({ SLUICE_PUBLISH_KEYS: `a-good-key-of-some-length,${key}` })).toThrow();
      const file = join(folder, 'key');
      writeFileSync(file, `${key}\n`);
      expect(() => loadConfig({ SLUICE_PUBLISH_KEYS_FILE: file })).toThrow();
    },
  );

  test('a template as the secret of tokens', () => {
    const template = '${SLUICE_JWT_SECRET_OF_PRODUCTION}';
    expect(() => loadConfig({ SLUICE_JWT_SECRET: template })).toThrow('SLUICE_JWT_SECRET holds a template');
    expect(() => loadConfig({ SLUICE_JWT_SECRET: template })).not.toThrow(template);
  });

  test.each(['SLUICE_PUBLISH_KEYS', 'SLUICE_JWT_SECRET'])('a JSON array as %s', (name) => {
    const array = JSON.stringify(['a'.repeat(40), 'b'.repeat(40)]);
    expect(() => loadConfig({ [name]: array })).toThrow(`${name} is a JSON array`);
  });

  test('while one that holds such a word is fine', () => {
    expect(loadConfig({ SLUICE_PUBLISH_KEYS: 'null-and-then-some-more,$aaaaaaaaaaaaaaa' }).warnings).toEqual(
      [],
    );
  });
});
