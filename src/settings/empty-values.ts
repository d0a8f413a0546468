import type { SettingName } from './settings.ts';

/** What tokens may be verified with: at most one of these is set. */
export const TOKEN_KEYS = ['SLUICE_JWT_SECRET', 'SLUICE_JWT_PUBLIC_KEY', 'SLUICE_JWKS_URL'] as const;

/** What narrows which tokens are good, and is not looked at unless it is set. */
const CLAIMS = ['SLUICE_JWT_ISSUER', 'SLUICE_JWT_AUDIENCE'] as const;

/** What is less safe, or less lasting, when one of these is passed on empty than its owner may think. */
const CONSEQUENCES: Readonly<Partial<Record<SettingName, string>>> = {
  HOST: 'the broker listens on every address of the machine',
  REDIS_URL: 'events are kept in this process alone, and are gone with it',
  SLUICE_ADMIN_PORT: 'health and metrics are on PORT, for everybody who reaches it',
  SLUICE_TLS_CERT: 'the broker speaks no TLS',
};

/**
 * Faults of settings that are set and empty, as `SLUICE_JWT_SECRET: ${SLUICE_JWT_SECRET}` in a compose file is while nobody
 * has set that variable. An empty value counts as none, which is mostly right; here it would open what is meant to be shut.
 *
 * @param isGiven whether a setting has a value, from wherever
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
          `${name} is set, but empty: without a key for tokens every channel would be public. Give it a value; or, if everybody may listen, leave it out or set SLUICE_PUBLIC_CHANNELS=*.`,
        );
      else if (strayKey(name, env) !== undefined)
        problems.push(
          `${strayKey(name, env)} is not read: without ${name} every channel would be public. Did you mean ${name}? Otherwise set SLUICE_PUBLIC_CHANNELS, to * if everybody may listen.`,
        );
    }
    if (isEmpty('SLUICE_PUBLIC_CHANNELS'))
      problems.push(
        'SLUICE_PUBLIC_CHANNELS is set, but empty, and there is no key for tokens: every channel would be public. Leave it out or set it to * if that is meant, or to a comma for none.',
      );
  }
  for (const name of CLAIMS)
    if (withTokens && isEmpty(name))
      problems.push(
        `${name} is set, but empty: tokens of everybody who has the key would be good. Give it a value, or leave it out.`,
      );
  const warnings = (Object.keys(CONSEQUENCES) as SettingName[])
    .filter(isEmpty)
    .map((name) => `${name} is set, but empty: ${CONSEQUENCES[name]}.`);
  return { problems, warnings };
}

/** The name without its prefix, where that has a value: JWT_SECRET. */
function strayKey(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const bare = name.slice('SLUICE_'.length);
  return [bare, `${bare}_FILE`].find((one) => (env[one] ?? '') !== '');
}
