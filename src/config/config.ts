import type { z } from 'zod';
import type { TraceProtocol } from '../observe/span-exporter.ts';
import { emptyValueFaults, TOKEN_KEYS } from './empty-values.ts';
import { machineFaults } from './machine-faults.ts';
import { thisMachine } from './machine.ts';
import type { Machine } from './machine.ts';
import { networkShare } from './network-share.ts';
import { rawValue } from './raw-values.ts';
import { secretFaults } from './secret-strength.ts';
import { nameFaults } from './setting-names.ts';
import { FILE_SETTINGS, SETTINGS } from './settings.ts';
import type { SettingName } from './settings.ts';
import { tlsProblems } from './tls-settings.ts';
import { readTracing } from './tracing.ts';

/** Stops the start. Has one line for each invalid setting, and each line says how to fix it. */
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

/** The settings as read from the environment, frozen. Only main.ts, cli/ and broker/ use this type. */
export type Config = Readonly<ReturnType<typeof toConfig>>;

/** A URL can hold a password before an `@`, or a key behind a `?`. */
const MAY_HOLD_SECRET = /[@?]/;

/** Settings whose value is JSON. */
const JSON_SETTINGS: ReadonlySet<string> = new Set<SettingName>(['SLUICE_CHANNELS', 'SLUICE_HEADERS']);

/** How many faults inside one setting are reported. */
const MAX_FAULTS = 20;

/** A warning is given when the trusted networks hold more than this share of all addresses. */
const LARGE_SHARE = 1 / 16;

/**
 * Reads the environment (docs/protocol.md §9).
 * @throws ConfigError naming every setting that is unknown, is invalid, or would make channels public by mistake
 */
export function loadConfig(env: NodeJS.ProcessEnv, machine: Machine = thisMachine()): Config {
  const problems: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  const raws = new Map<SettingName, string>();
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { schema, fallback, example } = SETTINGS[name];
    const raw = rawValue(name, { env, mayBeFile: FILE_SETTINGS.has(name), problems });
    if (raw !== undefined) raws.set(name, raw);
    const given = raw ?? fallback;
    if (given === undefined) continue;
    const result = (schema as z.ZodType).safeParse(given);
    if (result.success) values[name] = result.data;
    else problems.push(...refusals(name, given, result.error, example));
  }
  // Skips pair checks when a value was already reported as invalid.
  if (problems.length === 0) problems.push(...tlsProblems(values));
  const faults = [
    nameFaults(env),
    emptyValueFaults(env, (name) => raws.has(name)),
    secretFaults((name) => raws.get(name)),
  ];
  problems.push(...faults.flatMap((fault) => fault.problems));
  if (raws.has('REDIS_URL') && raws.has('SLUICE_DATA_DIR'))
    problems.push('REDIS_URL and SLUICE_DATA_DIR are set. Keep only one: it keeps the events.');
  const tokenKeys = TOKEN_KEYS.filter((name) => values[name] !== undefined);
  if (tokenKeys.length > 1)
    problems.push(`${tokenKeys.join(' and ')} are set. Keep only one: it verifies all tokens.`);
  // With a token key, channels are no longer public by default.
  if (tokenKeys.length > 0 && !raws.has('SLUICE_PUBLIC_CHANNELS')) values.SLUICE_PUBLIC_CHANNELS = [];
  const tracing = readTracing(env, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  const warnings = faults.flatMap((fault) => fault.warnings);
  const config = toConfig(values as Values, {
    tracing,
    warnings,
    shown: shownSettings(raws, tokenKeys.length > 0),
  });
  warnings.push(...sizeWarnings(config, machine));
  return Object.freeze(config);
}

/** Whether the broker accepts tokens. With tokens, a publisher needs no publish key. */
export function takesTokens({ jwtSecrets, jwtPublicKey, jwksUrl }: Config): boolean {
  return jwtSecrets.length > 0 || jwtPublicKey !== undefined || jwksUrl !== undefined;
}

/** Where events are kept: in the memory of the process, in a folder, or in Redis. */
export function logKind({ redisUrl, dataDir }: Config): 'embedded' | 'disk' | 'redis' {
  if (redisUrl !== undefined) return 'redis';
  return dataDir === undefined ? 'embedded' : 'disk';
}

/** What does not come from a single setting. */
interface Derived {
  readonly tracing: TraceProtocol | undefined;
  readonly warnings: readonly string[];
  readonly shown: Readonly<Record<string, string>>;
}

function toConfig(values: Values, { tracing, warnings, shown }: Derived) {
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
    /** Undefined when the embedded log is in memory. */
    dataDir: values.SLUICE_DATA_DIR,
    dataBytes: values.SLUICE_DATA_BYTES,
    sync: values.SLUICE_SYNC,
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
    /** By their names in lower case. */
    headers: values.SLUICE_HEADERS,
    historySize: values.SLUICE_HISTORY_SIZE,
    historyTtl: values.SLUICE_HISTORY_TTL,
    channels: values.SLUICE_CHANNELS,
    memoryBytes: values.SLUICE_MEMORY_BYTES,
    heartbeat: values.SLUICE_HEARTBEAT,
    retry: values.SLUICE_RETRY,
    stallTimeout: values.SLUICE_STALL_TIMEOUT,
    compression: values.SLUICE_COMPRESSION,
    drainWindow: values.SLUICE_DRAIN_WINDOW,
    maxConnections: values.SLUICE_MAX_CONNECTIONS ?? Infinity,
    maxConnectionsPerIp: values.SLUICE_MAX_CONNECTIONS_PER_IP ?? Infinity,
    maxConnectionsPerSubject: values.SLUICE_MAX_CONNECTIONS_PER_SUBJECT ?? Infinity,
    maxChannelsPerConnection: values.SLUICE_MAX_CHANNELS_PER_CONNECTION,
    maxConnectionAge: values.SLUICE_MAX_CONNECTION_AGE,
    maxBodyBytes: values.SLUICE_MAX_BODY_BYTES,
    maxHeaderBytes: values.SLUICE_MAX_HEADER_BYTES,
    headTimeout: values.SLUICE_HEAD_TIMEOUT,
    publishRatePerKey: values.SLUICE_PUBLISH_RATE_PER_KEY,
    publishRatePerIp: values.SLUICE_PUBLISH_RATE_PER_IP,
    failedAuthLimit: values.SLUICE_FAILED_AUTH_LIMIT,
    trustedProxies: values.SLUICE_TRUSTED_PROXIES,
    idempotencyTtl: values.SLUICE_IDEMPOTENCY_TTL,
    console: values.SLUICE_CONSOLE,
    adminPort: values.SLUICE_ADMIN_PORT,
    tlsCert: values.SLUICE_TLS_CERT,
    tlsKey: values.SLUICE_TLS_KEY,
    /** Undefined when tracing is off. */
    tracing,
    /** One line for each likely mistake that does not stop the start. No line holds a secret. */
    warnings,
    /** The texts of all settings that have a value, by their names. A text that may be a secret is only `set`. */
    shown,
  };
}

function shownSettings(
  raws: ReadonlyMap<SettingName, string>,
  withTokens: boolean,
): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const raw = raws.get(name);
    if (raw !== undefined) shown[name] = mayBeSecret(name, raw) ? 'set' : raw;
    else if (name === 'SLUICE_PUBLIC_CHANNELS' && withTokens) shown[name] = '';
    else if (SETTINGS[name].fallback !== undefined) shown[name] = SETTINGS[name].fallback;
  }
  return shown;
}

function mayBeSecret(name: SettingName, text: string): boolean {
  if (name === 'SLUICE_CHANNELS') return false;
  return FILE_SETTINGS.has(name) || MAY_HOLD_SECRET.test(text);
}

/** Warns of sizes that exceed the machine, and of trusted networks that are too large. */
function sizeWarnings(
  { redisUrl, dataDir, memoryBytes, trustedProxies, ...config }: Config,
  machine: Machine,
): string[] {
  const lines = machineFaults(
    { ...config, memoryBytes: (redisUrl ?? dataDir) === undefined ? memoryBytes : undefined },
    machine,
  );
  if (networkShare(trustedProxies) > LARGE_SHARE)
    lines.push(
      'SLUICE_TRUSTED_PROXIES holds more than a sixteenth of all addresses. Any client in these networks can claim any address in X-Forwarded-For.',
    );
  return lines;
}

/** Returns a line for each fault inside a JSON value, with a pointer to it (RFC 6901). Other values get a single line. */
function refusals(name: SettingName, given: string, error: z.ZodError, example: string): readonly string[] {
  const inside = error.issues.filter(({ path }) => JSON_SETTINGS.has(name) && path.length > 0);
  if (inside.length === 0) return [refusal(name, given, error, example)];
  return inside.slice(0, MAX_FAULTS).map(({ path, message }) => `${name}: ${pointerTo(path)} ${message}.`);
}

/** RFC 6901 §3. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function refusal(name: SettingName, given: string, error: z.ZodError, example: string): string {
  const expected = error.issues[0]?.message ?? 'another value';
  // Never shows a secret, even an invalid one: it may be the real secret with a typing error. Any file may hold one.
  const shown = FILE_SETTINGS.has(name) || MAY_HOLD_SECRET.test(given) ? 'a hidden value' : `"${given}"`;
  const source = example.startsWith('/') ? `${name}_FILE` : name;
  return `${name} is ${shown}; expected ${expected}. Example: ${source}=${example}`;
}
