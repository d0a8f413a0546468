import { readFileSync } from 'node:fs';
import { isQuoted } from './is-quoted.ts';
import { SECRETS } from './settings.ts';
import type { SettingName } from './settings.ts';

/** Kubernetes sets `SLUICE_ADMIN_PORT` to such a URL when there is a Service called `sluice-admin`. */
const LINK = /^(?:tcp|udp|sctp):\/\//i;

/** Reads a setting from its variable or file. Returns undefined when it is unset, empty, or was reported in `problems`. */
export function rawValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const value = writtenValue(name, env, problems);
  if (value === undefined || !isQuoted(value)) return value;
  // A shell removes the quotes. Docker and systemd differ in what they do with quotes in env files.
  problems.push(`${name} is in quotes, and the quotes would be part of the value. Remove them.`);
  return undefined;
}

/** Reads the variable or its file, and trims blanks, line breaks and a byte order mark. */
function writtenValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const path = SECRETS.has(name) ? env[`${name}_FILE`]?.trim() : undefined;
  const direct = env[name]?.trim();
  if (path === undefined || path === '') {
    const link = name === 'SLUICE_ADMIN_PORT' && direct !== undefined && LINK.test(direct);
    return direct === '' || link ? undefined : direct;
  }
  if (direct !== undefined && direct !== '') {
    problems.push(`${name} and ${name}_FILE are both set. Keep one of them.`);
    return undefined;
  }
  try {
    const text = readFileSync(path, 'utf8').trim();
    if (text !== '') return text;
    problems.push(`${name}_FILE names an empty file.`);
  } catch (error) {
    problems.push(`${name}_FILE names a file that cannot be read: ${(error as Error).message}.`);
  }
  return undefined;
}
