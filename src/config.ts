import { readFileSync } from 'node:fs';
import type { z } from 'zod';
import type { TraceProtocol } from './core/trace-protocol.ts';
import { isQuoted } from './settings/is-quoted.ts';
import { SECRETS, SETTINGS } from './settings/settings.ts';
import type { SettingName } from './settings/settings.ts';
import { tlsProblems } from './settings/tls-settings.ts';
import { readTracing } from './settings/tracing.ts';

/** What stops the start: one line for each setting that cannot be read, each with the way out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** What tokens may be verified with: at most one of these is set. */
const TOKEN_KEYS = ['SLUICE_JWT_SECRET', 'SLUICE_JWT_PUBLIC_KEY', 'SLUICE_JWKS_URL'] as const;

type Values = { readonly [N in SettingName]: z.output<(typeof SETTINGS)[N]['schema']> | Absent<N> };
type Absent<N extends SettingName> = (typeof SETTINGS)[N]['fallback'] extends string ? never : undefined;

/** What the environment said, frozen; only main and app see it. */
export type Config = Readonly<ReturnType<typeof toConfig>>;

/**
 * Reads the environment (docs/protocol.md §9).
 * @throws ConfigError naming every setting that is unknown or cannot be read
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  const byDefault = new Set<SettingName>();
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { schema, fallback, example } = SETTINGS[name];
    const raw = rawValue(name, env, problems);
    if (raw === undefined) byDefault.add(name);
    const given = raw ?? fallback;
    if (given === undefined) continue;
    const result = (schema as z.ZodType).safeParse(given);
    if (result.success) values[name] = result.data;
    else problems.push(refusal(name, given, result.error, example));
  }
  // What cannot be read has been told; that it is missing beside another need not be.
  if (problems.length === 0) problems.push(...tlsProblems(values));
  problems.push(...unknownNames(env));
  const tokenKeys = TOKEN_KEYS.filter((name) => values[name] !== undefined);
  if (tokenKeys.length > 1)
    problems.push(`${tokenKeys.join(' and ')} are set; keep one of them: tokens are verified with one key.`);
  // Who gives out tokens does not mean that anybody may listen without one.
  if (tokenKeys.length > 0 && byDefault.has('SLUICE_PUBLIC_CHANNELS')) values.SLUICE_PUBLIC_CHANNELS = [];
  const tracing = readTracing(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(toConfig(values as Values, tracing));
}

/** Whether tokens are taken, so that somebody may publish without a key. */
export function takesTokens({ jwtSecrets, jwtPublicKey, jwksUrl }: Config): boolean {
  return jwtSecrets.length > 0 || jwtPublicKey !== undefined || jwksUrl !== undefined;
}

function toConfig(values: Values, tracing: TraceProtocol | undefined) {
  return {
    port: values.PORT,
    host: values.HOST,
    logLevel: values.LOG_LEVEL,
    redisUrl: values.REDIS_URL,
    redisPrefix: values.SLUICE_REDIS_PREFIX,
    waitReplicas: values.SLUICE_REDIS_WAIT_REPLICAS,
    redisTlsCa: values.SLUICE_REDIS_TLS_CA,
    redisTlsCert: values.SLUICE_REDIS_TLS_CERT,
    redisTlsKey: values.SLUICE_REDIS_TLS_KEY,
    publishKeys: values.SLUICE_PUBLISH_KEYS ?? [],
    jwtSecrets: values.SLUICE_JWT_SECRET ?? [],
    jwtPublicKey: values.SLUICE_JWT_PUBLIC_KEY,
    jwksUrl: values.SLUICE_JWKS_URL,
    jwtIssuer: values.SLUICE_JWT_ISSUER,
    jwtAudience: values.SLUICE_JWT_AUDIENCE,
    jwtClockTolerance: values.SLUICE_JWT_CLOCK_TOLERANCE,
    tokenCookie: values.SLUICE_TOKEN_COOKIE,
    publicChannels: values.SLUICE_PUBLIC_CHANNELS,
    revocationTtl: values.SLUICE_REVOCATION_TTL,
    corsOrigins: values.SLUICE_CORS_ORIGINS,
    historySize: values.SLUICE_HISTORY_SIZE,
    historyTtl: values.SLUICE_HISTORY_TTL,
    memoryBytes: values.SLUICE_MEMORY_BYTES,
    heartbeat: values.SLUICE_HEARTBEAT,
    retry: values.SLUICE_RETRY,
    stallTimeout: values.SLUICE_STALL_TIMEOUT,
    drainWindow: values.SLUICE_DRAIN_WINDOW,
    maxConnections: values.SLUICE_MAX_CONNECTIONS ?? Infinity,
    maxConnectionsPerIp: values.SLUICE_MAX_CONNECTIONS_PER_IP ?? Infinity,
    maxConnectionsPerSubject: values.SLUICE_MAX_CONNECTIONS_PER_SUBJECT ?? Infinity,
    maxConnectionAge: values.SLUICE_MAX_CONNECTION_AGE ?? Infinity,
    maxBodyBytes: values.SLUICE_MAX_BODY_BYTES,
    maxHeaderBytes: values.SLUICE_MAX_HEADER_BYTES,
    headTimeout: values.SLUICE_HEAD_TIMEOUT,
    publishRatePerKey: values.SLUICE_PUBLISH_RATE_PER_KEY,
    publishRatePerIp: values.SLUICE_PUBLISH_RATE_PER_IP,
    failedAuthLimit: values.SLUICE_FAILED_AUTH_LIMIT,
    trustedProxies: values.SLUICE_TRUSTED_PROXIES,
    idempotencyTtl: values.SLUICE_IDEMPOTENCY_TTL,
    adminPort: values.SLUICE_ADMIN_PORT,
    tlsCert: values.SLUICE_TLS_CERT,
    tlsKey: values.SLUICE_TLS_KEY,
    /** Undefined for none. */
    tracing,
  };
}

/** Without what stands around it by accident; undefined for none. */
function rawValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
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
  if (path === undefined || path === '') return direct === '' ? undefined : direct;
  if (direct !== undefined && direct !== '') {
    problems.push(`${name} and ${name}_FILE are both set; keep one of them.`);
    return undefined;
  }
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    problems.push(`${name}_FILE names a file that cannot be read: ${(error as Error).message}.`);
    return undefined;
  }
}

function refusal(name: SettingName, given: string, error: z.ZodError, example: string): string {
  const expected = error.issues[0]?.message ?? 'another value';
  // A secret is not repeated, not even a wrong one: it may be a right one with a typing error.
  const shown = SECRETS.has(name) ? 'a value that is not shown here' : `"${given}"`;
  const source = example.startsWith('/') ? `${name}_FILE` : name;
  return `${name} is ${shown}; expected ${expected}. Example: ${source}=${example}`;
}

function unknownNames(env: NodeJS.ProcessEnv): string[] {
  const known = new Set<string>([...Object.keys(SETTINGS), ...[...SECRETS].map((name) => `${name}_FILE`)]);
  return Object.keys(env)
    .filter((name) => name.startsWith('SLUICE_') && !known.has(name) && !isServiceLink(name))
    .map((name) => {
      const near = nearest(name, [...known]);
      return `${name} is not a setting of this version.${near === undefined ? ' All settings are in the README.' : ` Did you mean ${near}?`}`;
    });
}

/** What Kubernetes sets in every pod beside a Service called `sluice`. */
function isServiceLink(name: string): boolean {
  return name.startsWith('SLUICE_SERVICE_') || name.startsWith('SLUICE_PORT');
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  scored.sort((a, b) => a.distance - b.distance);
  const best = scored[0];
  return best !== undefined && best.distance <= 4 ? best.candidate : undefined;
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
