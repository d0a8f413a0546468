import { readFileSync } from 'node:fs';

/** Kubernetes sets `SLUICE_ADMIN_PORT` to such a URL when there is a Service called `sluice-admin`. */
const LINK = /^(?:tcp|udp|sctp):\/\//i;

export interface RawValueOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Whether the setting may also be read from the file that `<name>_FILE` names. */
  readonly mayBeFile: boolean;
  /** Gets a line for each fault. */
  readonly problems: string[];
}

/** Reads a setting from its variable or file. Returns undefined when it is unset, empty, or was reported in `problems`. */
export function rawValue(name: string, options: RawValueOptions): string | undefined {
  const value = writtenValue(name, options);
  if (value === undefined || !isQuoted(value)) return value;
  // A shell removes the quotes. Docker and systemd differ in what they do with quotes in env files.
  options.problems.push(`${name} is in quotes, and the quotes would be part of the value. Remove them.`);
  return undefined;
}

/** Reads the variable or its file, and trims blanks, line breaks and a byte order mark. */
function writtenValue(name: string, { env, mayBeFile, problems }: RawValueOptions): string | undefined {
  const path = mayBeFile ? env[`${name}_FILE`]?.trim() : undefined;
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

/** Whether a text begins and ends with the same quote. Some readers of env files keep the quotes that a shell removes. */
export function isQuoted(text: string): boolean {
  return text.length > 1 && (text[0] === '"' || text[0] === "'") && text.at(-1) === text[0];
}

/** Splits a text at its commas, trims the items, and leaves out empty ones. */
export function commaList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
