import type { z } from 'zod';
import type { TraceProtocol } from './core/trace-protocol.ts';
import { emptyValueFaults, TOKEN_KEYS } from './settings/empty-values.ts';
import { machineFaults } from './settings/machine-faults.ts';
import { thisMachine } from './settings/machine.ts';
import type { Machine } from './settings/machine.ts';
import { networkShare } from './settings/network-share.ts';
import { rawValue } from './settings/raw-values.ts';
import { secretFaults } from './settings/secret-strength.ts';
import { nameFaults } from './settings/setting-names.ts';
import { SECRETS, SETTINGS } from './settings/settings.ts';
import type { SettingName } from './settings/settings.ts';
import { tlsProblems } from './settings/tls-settings.ts';
import { readTracing } from './settings/tracing.ts';

export { packageVersion } from './settings/package-version.ts';

/** What stops the start: one line for each setting that cannot be read, each with the way out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

type Values = { readonly [N in SettingName]: z.output<(typeof SETTINGS)[N]['schema']> | Absent<N> };
type Absent<N extends SettingName> = (typeof SETTINGS)[N]['fallback'] extends string ? never : undefined;

/** What the environment said, frozen; only main and app see it. */
export type Config = Readonly<ReturnType<typeof toConfig>>;

/** A URL's password stands before an `@`, a key that it takes behind a `?`. */
const MAY_HOLD_SECRET = /[@?]/;

/** Networks that hold a larger part of all addresses are hardly somebody's own proxies. */
const LARGE_SHARE = 1 / 16;

/**
 * Reads the environment (docs/protocol.md §9).
 * @throws ConfigError naming every setting that is unknown, cannot be read, or would open what is meant to be shut
 */
export function loadConfig(env: NodeJS.ProcessEnv, machine: Machine = thisMachine()): Config {
  const problems: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  const raws = new Map<SettingName, string>();
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { schema, fallback, example } = SETTINGS[name];
    const raw = rawValue(name, env, problems);
    if (raw !== undefined) raws.set(name, raw);
    const given = raw ?? fallback;
    if (given === undefined) continue;
    const result = (schema as z.ZodType).safeParse(given);
    if (result.success) values[name] = result.data;
    else problems.push(refusal(name, given, result.error, example));
  }
  // What cannot be read has been told; that it is missing beside another need not be.
  if (problems.length === 0) problems.push(...tlsProblems(values));
  const told = [
    nameFaults(env),
    emptyValueFaults(env, (name) => raws.has(name)),
    secretFaults((name) => raws.get(name)),
  ];
  problems.push(...told.flatMap((faults) => faults.problems));
  const tokenKeys = TOKEN_KEYS.filter((name) => values[name] !== undefined);
  if (tokenKeys.length > 1)
    problems.push(`${tokenKeys.join(' and ')} are set; keep one of them: tokens are verified with one key.`);
  // Who gives out tokens does not mean that anybody may listen without one.
  if (tokenKeys.length > 0 && !raws.has('SLUICE_PUBLIC_CHANNELS')) values.SLUICE_PUBLIC_CHANNELS = [];
  const tracing = readTracing(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = told.flatMap((faults) => faults.warnings);
  const config = toConfig(values as Values, tracing, warnings);
  warnings.push(...sizeWarnings(config, machine));
  return Object.freeze(config);
}

/** Whether tokens are taken, so that somebody may publish without a key. */
export function takesTokens({ jwtSecrets, jwtPublicKey, jwksUrl }: Config): boolean {
  return jwtSecrets.length > 0 || jwtPublicKey !== undefined || jwksUrl !== undefined;
}

function toConfig(values: Values, tracing: TraceProtocol | undefined, warnings: readonly string[]) {
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
    maxConnectionAge: values.SLUICE_MAX_CONNECTION_AGE,
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
    /** What may be meant and is more likely a mistake: one line for each, without a secret. */
    warnings,
  };
}

/** What is larger than the machine, or than a network of proxies is. */
function sizeWarnings(
  { redisUrl, memoryBytes, trustedProxies, ...config }: Config,
  machine: Machine,
): string[] {
  const lines = machineFaults(
    { ...config, memoryBytes: redisUrl === undefined ? memoryBytes : undefined },
    machine,
  );
  if (networkShare(trustedProxies) > LARGE_SHARE)
    lines.push(
      'SLUICE_TRUSTED_PROXIES holds more than a sixteenth of all addresses: whoever has one of them may say that it is anybody.',
    );
  return lines;
}

function refusal(name: SettingName, given: string, error: z.ZodError, example: string): string {
  const expected = error.issues[0]?.message ?? 'another value';
  // A secret is not repeated, not even a wrong one: it may be a right one with a typing error.
  const shown =
    SECRETS.has(name) || MAY_HOLD_SECRET.test(given) ? 'a value that is not shown here' : `"${given}"`;
  const source = example.startsWith('/') ? `${name}_FILE` : name;
  return `${name} is ${shown}; expected ${expected}. Example: ${source}=${example}`;
}
