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

// A compose file passes on unset variables as ''.
describe('an empty key for tokens does not make channels public', () => {
  test.each([...names, 'SLUICE_JWT_SECRET_FILE', 'SLUICE_JWT_PUBLIC_KEY_FILE'])('%s', (name) => {
    expect(() => loadConfig({ [name]: '' })).toThrow(
      `${name.replace('_FILE', '')} is set, but empty. Without a key for tokens, every channel would be public.`,
    );
    expect(() => loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: '' })).toThrow('is set, but empty');
  });

  test.each(names)('%s may be empty with another key, or with a list of public channels', (name) => {
    const other = names.find((one) => one !== name) as keyof typeof TOKEN_KEYS;
    expect(loadConfig({ [name]: '', [other]: TOKEN_KEYS[other] }).publicChannels).toEqual([]);
    expect(loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: 'news' }).publicChannels).toEqual(['news']);
    expect(loadConfig({ [name]: '', SLUICE_PUBLIC_CHANNELS: '*' }).publicChannels).toEqual(['*']);
  });

  test.each([...names, 'SLUICE_JWT_SECRET_FILE'])(
    '%s without its prefix does not make channels public',
    (name) => {
      const bare = name.replace('SLUICE_', '');
      const start = (more: object = {}): unknown => loadConfig({ [bare]: 'hunter2', ...more });
      expect(start).toThrow(
        `${bare} is not read. Without ${name.replace('_FILE', '')}, every channel would be public.`,
      );
      expect(start).not.toThrow('hunter2');
      // Public channels are listed, or there is another key, so the variable may belong to another program.
      expect(() => start({ SLUICE_PUBLIC_CHANNELS: '*' })).not.toThrow();
      expect(() => start({ SLUICE_JWT_SECRET: SECRET })).not.toThrow();
    },
  );
});

describe('an empty SLUICE_PUBLIC_CHANNELS', () => {
  test('does not make every channel public', () => {
    expect(() => loadConfig({ SLUICE_PUBLIC_CHANNELS: '' })).toThrow(
      'SLUICE_PUBLIC_CHANNELS is set, but empty, and there is no key for tokens',
    );
    expect(loadConfig({ SLUICE_PUBLIC_CHANNELS: ',' }).publicChannels).toEqual([]);
  });

  test('makes no channel public when there is a key for tokens', () => {
    expect(loadConfig({ SLUICE_PUBLIC_CHANNELS: '', SLUICE_JWT_SECRET: SECRET }).publicChannels).toEqual([]);
  });
});

test.each(['SLUICE_JWT_ISSUER', 'SLUICE_JWT_AUDIENCE'])('an empty %s does not accept every token', (name) => {
  expect(() => loadConfig({ [name]: '', SLUICE_JWT_SECRET: SECRET })).toThrow(
    `${name} is set, but empty. The broker would accept every token that is signed with the key.`,
  );
  expect(() => loadConfig({ [name]: '' })).not.toThrow();
});

describe('a placeholder in place of a secret stops the start', () => {
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

  test('a template as SLUICE_JWT_SECRET', () => {
    const template = '${SLUICE_JWT_SECRET_OF_PRODUCTION}';
    expect(() => loadConfig({ SLUICE_JWT_SECRET: template })).toThrow('SLUICE_JWT_SECRET holds a template');
    expect(() => loadConfig({ SLUICE_JWT_SECRET: template })).not.toThrow(template);
  });

  test.each(['SLUICE_PUBLISH_KEYS', 'SLUICE_JWT_SECRET'])('a JSON array as %s', (name) => {
    const array = JSON.stringify(['a'.repeat(40), 'b'.repeat(40)]);
    expect(() => loadConfig({ [name]: array })).toThrow(`${name} is a JSON array`);
  });

  test('but a key that only contains such a word is accepted', () => {
    expect(loadConfig({ SLUICE_PUBLISH_KEYS: 'null-and-then-some-more,$aaaaaaaaaaaaaaa' }).warnings).toEqual(
      [],
    );
  });
});
