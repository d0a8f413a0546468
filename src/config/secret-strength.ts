import { commaList } from './raw-values.ts';
import { SETTINGS } from './settings.ts';

const SECRETS = ['SLUICE_PUBLISH_KEYS', 'SLUICE_JWT_SECRET'] as const;
type Secret = (typeof SECRETS)[number];

/** What programs write for a missing value. */
const PLACEHOLDER = /^(?:\d|null|nil|none|undefined|nan|true|false)$/i;
/** A template variable that was not replaced: ${X}, $(X), $X, {{ x }}, <x>, %X%. */
const TEMPLATE = /^(?:\$\{.*\}|\$\(.*\)|\$[A-Z_][A-Z\d_]*|\{\{.*\}\}|<.*>|%\w+%)$/s;
/** A JSON array of secrets. Its brackets and quotes would become part of the secrets. */
const JSON_ARRAY = /^\s*\[.*\]\s*$/s;
/** In characters. Somebody could guess a shorter key with 60 tries a minute from each of many addresses. */
const MIN_KEY_LENGTH = 16;

/**
 * Reports keys and secrets that are easy to guess, or that stand in the documentation. No message shows a secret or its length.
 *
 * @param raw returns the value of a setting as it was given; undefined when unset
 */
export function secretFaults(raw: (name: Secret) => string | undefined): {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
} {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const name of SECRETS) {
    const given = commaList(raw(name) ?? '');
    const documented = commaList(SETTINGS[name].example);
    if (given.some((secret) => PLACEHOLDER.test(secret)))
      problems.push(
        `${name} holds a placeholder for a missing value, such as null or 0. Give it a long random text, such as the output of openssl rand -hex 32.`,
      );
    if (JSON_ARRAY.test(raw(name) ?? ''))
      problems.push(
        `${name} is a JSON array. Write the items separated by commas, without brackets and quotes.`,
      );
    if (given.some((secret) => TEMPLATE.test(secret)))
      problems.push(
        `${name} holds a template variable that was not replaced, such as \${X}. Give it the value itself.`,
      );
    if (name === 'SLUICE_PUBLISH_KEYS' && given.some((secret) => secret.length < MIN_KEY_LENGTH))
      warnings.push(
        `${name} holds a key of fewer than ${MIN_KEY_LENGTH} characters, which somebody could guess. Make a new key with openssl rand -hex 32.`,
      );
    if (given.some((secret) => documented.includes(secret)))
      warnings.push(`${name} holds an example from the documentation, which everybody knows.`);
  }
  return { problems, warnings };
}
