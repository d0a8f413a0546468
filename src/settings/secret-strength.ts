import { commaList } from './comma-list.ts';
import { SETTINGS } from './settings.ts';

const SECRETS = ['SLUICE_PUBLISH_KEYS', 'SLUICE_JWT_SECRET'] as const;
type Secret = (typeof SECRETS)[number];

/** What programs write for a value that is not there. */
const NOTHING = /^(?:\d|null|nil|none|undefined|nan|true|false)$/i;
/** What a template was to replace: ${X}, $(X), $X, {{ x }}, <x>, %X%. */
const TEMPLATE = /^(?:\$\{.*\}|\$\(.*\)|\$[A-Z_][A-Z\d_]*|\{\{.*\}\}|<.*>|%\w+%)$/s;
/** A JSON array of secrets, whose brackets and quotes would be taken for a part of them. */
const JSON_ARRAY = /^\s*\[.*\]\s*$/s;
/** A shorter key can be guessed, at 60 tries a minute from each of many addresses. */
const LEAST_KEY = 16;

/**
 * Faults of keys and secrets that anybody could guess, or find in the documentation. None is repeated, nor said how long it is.
 *
 * @param raw the value of a setting as it was given; undefined for none
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
    if (given.some((secret) => NOTHING.test(secret)))
      problems.push(
        `${name} holds what a program writes for a value that is missing, such as null or 0. Give it a long random text, such as the output of openssl rand -hex 32.`,
      );
    if (JSON_ARRAY.test(raw(name) ?? ''))
      problems.push(`${name} is a JSON array. Write its items one after another, separated by commas.`);
    if (given.some((secret) => TEMPLATE.test(secret)))
      problems.push(
        `${name} holds a template that nothing has replaced, such as \${X}. Give it the value itself.`,
      );
    if (name === 'SLUICE_PUBLISH_KEYS' && given.some((secret) => secret.length < LEAST_KEY))
      warnings.push(
        `${name} holds a key of fewer than ${LEAST_KEY} characters, which can be guessed: make one with openssl rand -hex 32.`,
      );
    if (given.some((secret) => documented.includes(secret)))
      warnings.push(`${name} holds an example of the documentation, which everybody knows.`);
  }
  return { problems, warnings };
}
