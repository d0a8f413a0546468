import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseChannelPattern } from './core/channel-pattern.ts';

/** What stops the start: one line for each setting that cannot be read, each with the way out. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
/** setTimeout takes no more. */
const MAX_TIMER = 2 ** 31 - 1;

const duration = (min: number, max = MAX_TIMER) =>
  z
    .string()
    .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/, 'a number with ms, s, m, h or d')
    .transform((text) => {
      const [, digits = '', unit = 'ms'] = /^([\d.]+)(.+)$/.exec(text) ?? [];
      return Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
    })
    .pipe(z.number().min(min, `at least ${min} ms`).max(max, `at most ${max} ms`));

const size = (min: number) =>
  z
    .string()
    .regex(/^\d+(?:KiB|MiB|GiB)?$/, 'a number of bytes, or one with KiB, MiB or GiB')
    .transform((text) => {
      const [, digits = '', unit = ''] = /^(\d+)(.*)$/.exec(text) ?? [];
      return Number(digits) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
    })
    .pipe(z.number().min(min, `at least ${min} bytes`).max(Number.MAX_SAFE_INTEGER, 'a smaller number'));

const count = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number from ${min} to ${max}`)
    .transform(Number)
    .pipe(
      z
        .number()
        .min(min, `a whole number from ${min} to ${max}`)
        .max(max, `a whole number from ${min} to ${max}`),
    );

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const origins = list.pipe(
  z.array(
    z
      .string()
      .refine(
        (origin) => origin === '*' || isOrigin(origin),
        'exact origins such as https://app.example.com, or *',
      ),
  ),
);

const patterns = list.pipe(
  z.array(
    z.string().transform((text, context) => {
      const pattern = parseChannelPattern(text);
      if (pattern !== undefined) return pattern;
      context.addIssue('channel names, prefixes followed by *, or *');
      return z.NEVER;
    }),
  ),
);

const keys = list.pipe(
  z.array(z.string().regex(/^[\x21-\x7e]{1,512}$/, 'keys of visible ASCII characters, separated by commas')),
);

/** `redis+sentinel://hosts/name` and `redis+cluster://hosts`, see docs/operations.md. */
const SEVERAL_REDIS = /^rediss?\+(?:sentinel:\/\/[^/?]+\/[^/?]+(?:\/\d+)?(?:\?.*)?|cluster:\/\/[^/?]+\/?)$/;

const redisUrl = z.string().refine((text) => {
  if (SEVERAL_REDIS.test(text)) return true;
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '';
}, 'a redis://, rediss://, redis+sentinel:// or redis+cluster:// URL');

/** Every setting: its form, its default, and an example for whoever got it wrong. */
const SETTINGS = {
  PORT: setting(count(0, 65_535), '3000', '3000'),
  HOST: setting(z.string().min(1, 'an address to listen on'), '0.0.0.0', '127.0.0.1'),
  LOG_LEVEL: setting(z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']), 'info', 'warn'),
  REDIS_URL: setting(redisUrl, undefined, 'redis://localhost:6379'),
  SLUICE_REDIS_PREFIX: setting(
    z.string().regex(/^[\x21-\x7a|~]{0,100}$/, 'up to 100 visible ASCII characters but { and }'),
    'sluice:',
    'staging:',
  ),
  SLUICE_REDIS_WAIT_REPLICAS: setting(count(0, 100), '0', '1'),
  SLUICE_PUBLISH_KEYS: setting(keys, undefined, 'a-long-random-key,another-one'),
  SLUICE_PUBLIC_CHANNELS: setting(patterns, '*', 'news,public.*'),
  SLUICE_CORS_ORIGINS: setting(origins, '', 'https://app.example.com'),
  SLUICE_HISTORY_SIZE: setting(count(1, 10_000_000), '1000', '1000'),
  SLUICE_HISTORY_TTL: setting(duration(1_000, 365 * DURATION_UNITS.d), '1h', '24h'),
  SLUICE_MEMORY_BYTES: setting(size(64 * 1024), '256MiB', '1GiB'),
  SLUICE_HEARTBEAT: setting(duration(100), '15s', '15s'),
  SLUICE_RETRY: setting(duration(500, 600_000), '2s', '2s'),
  SLUICE_STALL_TIMEOUT: setting(duration(100), '30s', '30s'),
  SLUICE_DRAIN_WINDOW: setting(duration(0), '10s', '10s'),
  SLUICE_MAX_CONNECTIONS: setting(count(1, 10_000_000), undefined, '20000'),
  SLUICE_MAX_CONNECTION_AGE: setting(duration(1_000), undefined, '1h'),
  SLUICE_MAX_BODY_BYTES: setting(size(1), '1MiB', '256KiB'),
  SLUICE_IDEMPOTENCY_TTL: setting(duration(1_000), '10m', '10m'),
  SLUICE_ADMIN_PORT: setting(count(0, 65_535), undefined, '9090'),
} as const;

type SettingName = keyof typeof SETTINGS;

/** Those that may come from a file: `<name>_FILE` holds its path. */
const SECRETS: ReadonlySet<string> = new Set<SettingName>(['SLUICE_PUBLISH_KEYS', 'REDIS_URL']);

type Values = { readonly [N in SettingName]: z.output<(typeof SETTINGS)[N]['schema']> | Absent<N> };
type Absent<N extends SettingName> = (typeof SETTINGS)[N]['fallback'] extends string ? never : undefined;

export type Config = Readonly<ReturnType<typeof toConfig>>;

interface Setting<S extends z.ZodType, F extends string | undefined> {
  readonly schema: S;
  readonly fallback: F;
  readonly example: string;
}

function setting<S extends z.ZodType, F extends string | undefined>(
  schema: S,
  fallback: F,
  example: string,
): Setting<S, F> {
  return { schema, fallback, example };
}

/**
 * Reads the environment (docs/protocol.md §9).
 * @throws ConfigError naming every setting that is unknown or cannot be read
 */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { schema, fallback, example } = SETTINGS[name];
    const given = rawValue(name, env, problems) ?? fallback;
    if (given === undefined) continue;
    const result = (schema as z.ZodType).safeParse(given);
    if (result.success) values[name] = result.data;
    else problems.push(refusal(name, given, result.error, example));
  }
  problems.push(...unknownNames(env));
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze(toConfig(values as Values));
}

function toConfig(values: Values) {
  return {
    port: values.PORT,
    host: values.HOST,
    logLevel: values.LOG_LEVEL,
    redisUrl: values.REDIS_URL,
    redisPrefix: values.SLUICE_REDIS_PREFIX,
    waitReplicas: values.SLUICE_REDIS_WAIT_REPLICAS,
    publishKeys: values.SLUICE_PUBLISH_KEYS ?? [],
    publicChannels: values.SLUICE_PUBLIC_CHANNELS,
    corsOrigins: values.SLUICE_CORS_ORIGINS,
    historySize: values.SLUICE_HISTORY_SIZE,
    historyTtl: values.SLUICE_HISTORY_TTL,
    memoryBytes: values.SLUICE_MEMORY_BYTES,
    heartbeat: values.SLUICE_HEARTBEAT,
    retry: values.SLUICE_RETRY,
    stallTimeout: values.SLUICE_STALL_TIMEOUT,
    drainWindow: values.SLUICE_DRAIN_WINDOW,
    maxConnections: values.SLUICE_MAX_CONNECTIONS ?? Infinity,
    maxConnectionAge: values.SLUICE_MAX_CONNECTION_AGE ?? Infinity,
    maxBodyBytes: values.SLUICE_MAX_BODY_BYTES,
    idempotencyTtl: values.SLUICE_IDEMPOTENCY_TTL,
    adminPort: values.SLUICE_ADMIN_PORT,
  };
}

function rawValue(name: SettingName, env: NodeJS.ProcessEnv, problems: string[]): string | undefined {
  const path = SECRETS.has(name) ? env[`${name}_FILE`] : undefined;
  const direct = env[name];
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
  return `${name} is ${shown}; expected ${expected}. Example: ${name}=${example}`;
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

function isOrigin(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    url.origin === text &&
    !text.includes('*') &&
    (url.protocol === 'http:' || url.protocol === 'https:')
  );
}
