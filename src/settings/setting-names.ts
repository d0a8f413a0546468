import { isServiceLink } from './service-links.ts';
import { SECRETS, SETTINGS } from './settings.ts';

const PREFIX = 'SLUICE_';
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(SETTINGS),
  ...[...SECRETS].map((name) => `${name}_FILE`),
]);
/** What every tool calls so, and belongs to Sluice only behind its prefix: these may be another program's. */
const COMMON = new Set(
  [
    'JWT_SECRET JWT_PUBLIC_KEY JWKS_URL JWT_ISSUER JWT_AUDIENCE CORS_ORIGINS TRUSTED_PROXIES MAX_CONNECTIONS',
    'ADMIN_PORT HEARTBEAT RETRY TLS_CERT TLS_KEY REDIS_PREFIX REDIS_TLS_CA REDIS_TLS_CERT REDIS_TLS_KEY',
  ].flatMap((line) => line.split(' ')),
);
/** How many letters of a name may be wrong for it to be taken for another. */
const MOST_EDITS = 4;

export interface NameFaults {
  /** Each stops the start. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * What is wrong with the names in an environment: settings that are misspelled, have a prefix that is not theirs, or have lost
 * theirs. No value is repeated, because it may be a secret.
 */
export function nameFaults(env: NodeJS.ProcessEnv): NameFaults {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const name of Object.keys(env)) {
    if (KNOWN.has(name)) continue;
    const misspelled = misspelling(name, env);
    if (misspelled !== undefined) problems.push(misspelled);
    else if (hasLostPrefix(name, env) && !isServiceLink(name, env)) {
      const line = `${name} is not read. Did you mean ${PREFIX}${name}?`;
      if (COMMON.has(withoutFile(name))) warnings.push(`${line} Otherwise it is another program's.`);
      else problems.push(`${line} If it is another program's, set ${PREFIX}${name} as well.`);
    }
  }
  return { problems, warnings };
}

/** A line about a name that is meant for Sluice and is no setting. */
function misspelling(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (name.startsWith(PREFIX)) {
    if (isServiceLink(name, env)) return undefined;
    const near = nearest(name);
    const way = near === undefined ? 'All settings are in the README.' : `Did you mean ${near}?`;
    return `${name} is not a setting of this version. ${way}`;
  }
  // Names are case-sensitive, and have neither hyphens nor dots, as they have in files of YAML and Java.
  const usual = name.toUpperCase().replaceAll(/[-.]/g, '_');
  const near =
    usual !== name && usual.startsWith(PREFIX) && KNOWN.has(usual) ? usual : misspelledPrefix(name);
  return near === undefined ? undefined : `${name} is not a setting of this version. Did you mean ${near}?`;
}

/** SLUCIE_PUBLISH_KEYS */
function misspelledPrefix(name: string): string | undefined {
  const end = name.indexOf('_') + 1;
  const meant = PREFIX + name.slice(end);
  return end > 4 && end < 10 && KNOWN.has(meant) && editDistance(name.slice(0, end), PREFIX) <= 2
    ? meant
    : undefined;
}

/** Who sets the right name as well means something else by the other; who leaves it empty means nothing. */
function hasLostPrefix(name: string, env: NodeJS.ProcessEnv): boolean {
  const meant = PREFIX + withoutFile(name);
  const isSet = (one: string): boolean => (env[one] ?? '') !== '';
  return (
    KNOWN.has(PREFIX + name) && isSet(name) && env[meant] === undefined && env[`${meant}_FILE`] === undefined
  );
}

function withoutFile(name: string): string {
  return name.replace(/_FILE$/, '');
}

function nearest(name: string): string | undefined {
  const bare = name.slice(PREFIX.length);
  if (KNOWN.has(bare)) return bare;
  // PORT, HOST, LOG_LEVEL and REDIS_URL have no prefix; who gives them one may misspell them, too.
  const scored = [...KNOWN].map((candidate) => {
    const one = candidate.startsWith(PREFIX) ? candidate.slice(PREFIX.length) : candidate;
    return { candidate, distance: editDistance(bare, one) };
  });
  scored.sort((a, b) => a.distance - b.distance);
  const [best] = scored;
  // Of a short name most letters could be another's.
  const most = Math.min(MOST_EDITS, bare.length / 2);
  return best !== undefined && best.distance <= most ? best.candidate : undefined;
}

/** Levenshtein. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
