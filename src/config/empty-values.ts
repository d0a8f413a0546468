import type { SettingName } from './settings.ts';

/** The settings that hold the key for tokens. At most one of them may be set. */
export const TOKEN_KEYS = ['SLUICE_JWT_SECRET', 'SLUICE_JWT_PUBLIC_KEY', 'SLUICE_JWKS_URL'] as const;

/** Settings that restrict which tokens are valid. An unset one is not checked. */
const CLAIMS = ['SLUICE_JWT_ISSUER', 'SLUICE_JWT_AUDIENCE'] as const;

/** What happens when one of these settings is set but empty. */
const CONSEQUENCES: Readonly<Partial<Record<SettingName, string>>> = {
  HOST: 'the broker listens on every address of the machine',
  SLUICE_CHANNELS:
    'no channel has a policy of its own, and a channel that a rule made private may now be public',
  REDIS_URL: 'events are kept only in this process, and are lost when the process ends',
  SLUICE_DATA_DIR: 'events are kept only in memory, and are lost when the process ends',
  SLUICE_ADMIN_PORT: 'health and metrics are on PORT, and everybody who reaches PORT can read them',
  SLUICE_TLS_CERT: 'the broker does not use TLS',
};

/**
 * Reports settings that are set but empty, for example by `SLUICE_JWT_SECRET: ${SLUICE_JWT_SECRET}` in a compose file when
 * that variable is unset. An empty value counts as unset. For these settings that would make channels public by mistake.
 *
 * @param isGiven whether a setting has a value, from its variable or its file
 */
export function emptyValueFaults(
  env: NodeJS.ProcessEnv,
  isGiven: (name: SettingName) => boolean,
): { readonly problems: readonly string[]; readonly warnings: readonly string[] } {
  const problems: string[] = [];
  const isEmpty = (name: SettingName): boolean =>
    !isGiven(name) && (env[name]?.trim() === '' || env[`${name}_FILE`]?.trim() === '');
  const withTokens = TOKEN_KEYS.some(isGiven);
  if (!withTokens && !isGiven('SLUICE_PUBLIC_CHANNELS')) {
    for (const name of TOKEN_KEYS) {
      if (isEmpty(name))
        problems.push(
          `${name} is set, but empty. Without a key for tokens, every channel would be public. Give it a value. If everybody may subscribe, remove it or set SLUICE_PUBLIC_CHANNELS=*.`,
        );
      else if (strayKey(name, env) !== undefined)
        problems.push(
          `${strayKey(name, env)} is not read. Without ${name}, every channel would be public. Did you mean ${name}? Otherwise set SLUICE_PUBLIC_CHANNELS: * lets everybody subscribe.`,
        );
    }
    if (isEmpty('SLUICE_PUBLIC_CHANNELS'))
      problems.push(
        'SLUICE_PUBLIC_CHANNELS is set, but empty, and there is no key for tokens. Every channel would be public. If you want that, remove it or set it to *. For no public channels, set it to a comma.',
      );
  }
  for (const name of CLAIMS)
    if (withTokens && isEmpty(name))
      problems.push(
        `${name} is set, but empty. The broker would accept every token that is signed with the key. Give it a value, or remove it.`,
      );
  const warnings = (Object.keys(CONSEQUENCES) as SettingName[])
    .filter(isEmpty)
    .map((name) => `${name} is set, but empty: ${CONSEQUENCES[name]}.`);
  return { problems, warnings };
}

/** Returns the name without its prefix, such as JWT_SECRET, when a variable of that name has a value. */
function strayKey(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const bare = name.slice('SLUICE_'.length);
  return [bare, `${bare}_FILE`].find((one) => (env[one] ?? '') !== '');
}
