import { readFileSync } from 'node:fs';
import { isQuoted } from './is-quoted.ts';
import { SECRETS } from './settings.ts';
import type { SettingName } from './settings.ts';

/** `SLUICE_ADMIN_PORT` is also what Kubernetes sets for a Service called `sluice-admin`. */
const LINK = /^(?:tcp|udp|sctp):\/\//i;

/** What the environment has for a setting, without what stands around it by accident; undefined for nothing. */
export function rawValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const value = writtenValue(name, env, problems);
  if (value === undefined || !isQuoted(value)) return value;
  // A shell takes them off; the env files of docker and systemd units differ in that.
  problems.push(`${name} is in quotes, which would be part of it; leave them out.`);
  return undefined;
}

/** From the variable or its file, without blanks, line breaks and a byte order mark around it. */
function writtenValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const path = SECRETS.has(name) ? env[`${name}_FILE`]?.trim() : undefined;
  const direct = env[name]?.trim();
  if (path === undefined || path === '') {
    const link = name === 'SLUICE_ADMIN_PORT' && direct !== undefined && LINK.test(direct);
    return direct === '' || link ? undefined : direct;
  }
  if (direct !== undefined && direct !== '') {
    problems.push(`${name} and ${name}_FILE are both set; keep one of them.`);
    return undefined;
  }
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return text;
    problems.push(`${name}_FILE names a file that is empty.`);
  } catch (error) {
    problems.push(`${name}_FILE names a file that cannot be read: ${(error as Error).message}.`);
  }
  return undefined;
}
