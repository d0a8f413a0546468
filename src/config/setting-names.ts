import { FILE_SETTINGS, SETTINGS } from './settings.ts';

const PREFIX = 'SLUICE_';
const KNOWN: ReadonlySet<string> = new Set([
  ...Object.keys(SETTINGS),
  ...[...FILE_SETTINGS].map((name) => `${name}_FILE`),
]);
/** The variables of the commands that talk to a broker. A shell often has them when it starts a broker. */
const OF_COMMANDS: ReadonlySet<string> = new Set(['SLUICE_URL', 'SLUICE_KEY', 'SLUICE_TOKEN']);
/** Names without the prefix that other programs use too. One of these gives a warning and does not stop the start. */
const COMMON = new Set(
  [
    'JWT_SECRET JWT_PUBLIC_KEY JWKS_URL JWT_ISSUER JWT_AUDIENCE CORS_ORIGINS TRUSTED_PROXIES MAX_CONNECTIONS',
    'ADMIN_PORT HEARTBEAT RETRY TLS_CERT TLS_KEY REDIS_PREFIX REDIS_TLS_CA REDIS_TLS_CERT REDIS_TLS_KEY',
  ].flatMap((line) => line.split(' ')),
);
/** A name counts as a misspelled setting up to this edit distance. */
const MAX_EDITS = 4;

/** The form of the URLs that Kubernetes and Docker set. */
const LINK_URL = /^(?:tcp|udp|sctp):\/\//i;
const SERVICE_VARIABLE = /_SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)$/;
const PORT_VARIABLE = /_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:ADDR|PORT|PROTO|START|PORT_START|PORT_END))?$/;
/** Docker's `SLUICE_REDIS_NAME=/web/sluice-redis`: the linking container and the alias of the linked one. */
const LINK_NAME = /^\/[^/]+\/[^/]+$/;

export interface NameFaults {
  /** Each problem stops the start. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reports variables whose names are misspelled settings, have the prefix wrongly, or lack the prefix. No message shows a value,
 * because it may be a secret.
 */
export function nameFaults(env: NodeJS.ProcessEnv): NameFaults {
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const name of Object.keys(env)) {
    if (KNOWN.has(name) || OF_COMMANDS.has(name)) continue;
    const misspelled = misspelling(name, env);
    if (misspelled !== undefined) problems.push(misspelled);
    else if (lacksPrefix(name, env) && !isServiceLink(name, env)) {
      const line = `${name} is not read. Did you mean ${PREFIX}${name}?`;
      if (COMMON.has(withoutFile(name))) warnings.push(`${line} Ignore this if it is for another program.`);
      else problems.push(`${line} If it is for another program, set ${PREFIX}${name} as well.`);
    }
  }
  return { problems, warnings };
}

/** Returns a problem for a name that is meant for Sluice and is not a setting. */
function misspelling(name: string, env: NodeJS.ProcessEnv): string | undefined {
  if (name.startsWith(PREFIX)) {
    if (isServiceLink(name, env)) return undefined;
    const near = nearest(name);
    const advice = near === undefined ? 'docs/operations.md lists all settings.' : `Did you mean ${near}?`;
    return `${name} is not a setting of this version. ${advice}`;
  }
  // Finds names in lower case, or with hyphens and dots as in YAML and Java properties.
  const usual = name.toUpperCase().replaceAll(/[-.]/g, '_');
  const near =
    usual !== name && usual.startsWith(PREFIX) && KNOWN.has(usual) ? usual : misspelledPrefix(name);
  return near === undefined ? undefined : `${name} is not a setting of this version. Did you mean ${near}?`;
}

/** Finds a misspelled prefix, as in SLUCIE_PUBLISH_KEYS. */
function misspelledPrefix(name: string): string | undefined {
  const end = name.indexOf('_') + 1;
  const meant = PREFIX + name.slice(end);
  return end > 4 && end < 10 && KNOWN.has(meant) && editDistance(name.slice(0, end), PREFIX) <= 2
    ? meant
    : undefined;
}

/** Whether a setting is given without its prefix. False when the right name is set too, or the variable is empty. */
function lacksPrefix(name: string, env: NodeJS.ProcessEnv): boolean {
  const meant = PREFIX + withoutFile(name);
  const isSet = (one: string): boolean => (env[one] ?? '') !== '';
  return (
    KNOWN.has(PREFIX + name) && isSet(name) && env[meant] === undefined && env[`${meant}_FILE`] === undefined
  );
}

/**
 * Whether a variable is the address of another service. Kubernetes sets such variables for every Service of the namespace, and
 * Docker for every container of `--link`. They begin with `SLUICE_` when the service's name begins with `sluice`. Most are
 * recognised by their names. `<NAME>_PORT` and `<NAME>_NAME` could be settings too, so their values decide.
 */
function isServiceLink(name: string, env: NodeJS.ProcessEnv): boolean {
  const value = env[name] ?? '';
  if (SERVICE_VARIABLE.test(name) || PORT_VARIABLE.test(name)) return true;
  if (name.endsWith('_PORT')) return LINK_URL.test(value);
  if (name.endsWith('_NAME')) return LINK_NAME.test(value);
  // Docker passes on the linked container's whole environment, as <NAME>_ENV_<variable>.
  const at = name.indexOf('_ENV_');
  return at > 0 && LINK_NAME.test(env[`${name.slice(0, at)}_NAME`] ?? '');
}

function withoutFile(name: string): string {
  return name.replace(/_FILE$/, '');
}

function nearest(name: string): string | undefined {
  const bare = name.slice(PREFIX.length);
  if (KNOWN.has(bare)) return bare;
  // Also finds PORT, HOST, LOG_LEVEL and REDIS_URL when they are misspelled behind a prefix that they do not have.
  const scored = [...KNOWN].map((candidate) => {
    const one = candidate.startsWith(PREFIX) ? candidate.slice(PREFIX.length) : candidate;
    return { candidate, distance: editDistance(bare, one) };
  });
  scored.sort((a, b) => a.distance - b.distance);
  const [best] = scored;
  // Four edits of a short name could give any other short name.
  const max = Math.min(MAX_EDITS, bare.length / 2);
  return best !== undefined && best.distance <= max ? best.candidate : undefined;
}

/** The Levenshtein distance. */
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
