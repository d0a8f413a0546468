import { DURATION_UNITS } from '../events/duration.ts';
import { z } from 'zod';
import { answerHeaders } from './answer-headers.ts';
import { channelRules } from './channel-rules.ts';
import { jwksUrl, jwtSecrets, publicKeyPem } from './key-values.ts';
import {
  cookieName,
  count,
  duration,
  durationOrOff,
  keys,
  listenHost,
  logLevel,
  networks,
  onOrOff,
  origins,
  patterns,
  rate,
  rateOrOff,
  redisUrl,
  size,
  syncPace,
} from './setting-values.ts';
import { certificates, privateKey } from './tls-settings.ts';

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
 * Every setting: its format, its default, and an example for error messages. An example that is a path means that the value
 * has several lines and is best kept in a file.
 */
export const SETTINGS = {
  PORT: setting(count(0, 65_535), '3000', '3000'),
  HOST: setting(listenHost, '0.0.0.0', '127.0.0.1'),
  LOG_LEVEL: setting(logLevel, 'info', 'warn'),
  REDIS_URL: setting(redisUrl, undefined, 'redis://localhost:6379'),
  SLUICE_REDIS_PREFIX: setting(
    z.string().regex(/^[\x21-\x7a|~]{0,100}$/, 'up to 100 visible ASCII characters other than { and }'),
    'sluice:',
    'staging:',
  ),
  SLUICE_REDIS_WAIT_REPLICAS: setting(count(0, 100), '0', '1'),
  SLUICE_REDIS_TLS_CA: setting(certificates, undefined, '/run/secrets/redis-ca.crt'),
  SLUICE_REDIS_TLS_CERT: setting(certificates, undefined, '/run/secrets/redis-client.crt'),
  SLUICE_REDIS_TLS_KEY: setting(privateKey, undefined, '/run/secrets/redis-client.key'),
  SLUICE_DATA_DIR: setting(z.string(), undefined, '/data'),
  SLUICE_DATA_BYTES: setting(size(16 * 1024 ** 2), '10GiB', '50GiB'),
  SLUICE_SYNC: setting(syncPace, 'always', '1s'),
  SLUICE_PUBLISH_KEYS: setting(keys, undefined, 'a-long-random-key,another-one'),
  SLUICE_JWT_SECRET: setting(jwtSecrets, undefined, 'a-long-random-text-of-32-bytes-or-more'),
  SLUICE_JWT_PUBLIC_KEY: setting(
    publicKeyPem,
    undefined,
    '-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA6FNNUKCBsxfzhMiDIJgzHKPnwCK3K5yDKaWPEw5iZjY=\\n-----END PUBLIC KEY-----',
  ),
  SLUICE_JWKS_URL: setting(jwksUrl, undefined, 'https://id.example.com/.well-known/jwks.json'),
  SLUICE_JWT_ISSUER: setting(z.string(), undefined, 'https://id.example.com'),
  SLUICE_JWT_AUDIENCE: setting(z.string(), undefined, 'sluice'),
  SLUICE_JWT_CLOCK_TOLERANCE: setting(duration(0, 10 * DURATION_UNITS.m), '5s', '5s'),
  SLUICE_TOKEN_COOKIE: setting(cookieName, 'sluice_token', '__Host-sluice'),
  SLUICE_PUBLIC_CHANNELS: setting(patterns, '*', 'news,public.*'),
  SLUICE_REVOCATION_TTL: setting(duration(1_000, 365 * DURATION_UNITS.d), '24h', '7d'),
  SLUICE_CORS_ORIGINS: setting(origins, '', 'https://app.example.com'),
  SLUICE_HEADERS: setting(answerHeaders, '{}', '{"Timing-Allow-Origin":"*"}'),
  SLUICE_HISTORY_SIZE: setting(count(1, 10_000_000), '1000', '1000'),
  SLUICE_HISTORY_TTL: setting(duration(1_000, 365 * DURATION_UNITS.d), '1h', '24h'),
  SLUICE_CHANNELS: setting(
    channelRules,
    '[]',
    '[{"match":"chat.*","history":{"size":5000,"ttl":"24h"},"public":true}]',
  ),
  SLUICE_MEMORY_BYTES: setting(size(64 * 1024), '256MiB', '1GiB'),
  SLUICE_HEARTBEAT: setting(duration(100), '15s', '15s'),
  SLUICE_RETRY: setting(duration(500, 600_000), '2s', '2s'),
  SLUICE_COMPRESSION: setting(onOrOff, 'on', 'off'),
  SLUICE_STALL_TIMEOUT: setting(duration(100), '30s', '30s'),
  SLUICE_DRAIN_WINDOW: setting(duration(0), '10s', '10s'),
  SLUICE_MAX_CONNECTIONS: setting(count(1, 10_000_000), undefined, '20000'),
  SLUICE_MAX_CONNECTIONS_PER_IP: setting(count(1, 10_000_000), undefined, '100'),
  SLUICE_MAX_CONNECTIONS_PER_SUBJECT: setting(count(1, 10_000_000), undefined, '10'),
  SLUICE_MAX_CHANNELS_PER_CONNECTION: setting(count(1, 10_000), '100', '20'),
  SLUICE_MAX_CONNECTION_AGE: setting(durationOrOff(1_000), '1h', '30m'),
  SLUICE_MAX_BODY_BYTES: setting(size(1, 256 * 1024 ** 2), '1MiB', '256KiB'),
  SLUICE_MAX_HEADER_BYTES: setting(size(1024, 1024 ** 2), '16KiB', '32KiB'),
  SLUICE_HEAD_TIMEOUT: setting(duration(100, 30_000), '15s', '10s'),
  SLUICE_PUBLISH_RATE_PER_KEY: setting(rate, undefined, '1000/s'),
  SLUICE_PUBLISH_RATE_PER_IP: setting(rate, undefined, '6000/m'),
  SLUICE_FAILED_AUTH_LIMIT: setting(rateOrOff, '60/m', '20/m'),
  SLUICE_TRUSTED_PROXIES: setting(networks, '', '10.0.0.0/8,fd00::/8'),
  SLUICE_IDEMPOTENCY_TTL: setting(duration(1_000), '10m', '10m'),
  SLUICE_CONSOLE: setting(onOrOff, 'on', 'off'),
  SLUICE_ADMIN_PORT: setting(count(0, 65_535), undefined, '9090'),
  SLUICE_TLS_CERT: setting(certificates, undefined, '/run/secrets/tls.crt'),
  SLUICE_TLS_KEY: setting(privateKey, undefined, '/run/secrets/tls.key'),
} as const;

export type SettingName = keyof typeof SETTINGS;

/** Settings whose value may come from a file. `<name>_FILE` holds its path. */
export const FILE_SETTINGS: ReadonlySet<string> = new Set<SettingName>([
  'SLUICE_PUBLISH_KEYS',
  'SLUICE_JWT_SECRET',
  'SLUICE_JWT_PUBLIC_KEY',
  'REDIS_URL',
  'SLUICE_REDIS_TLS_CA',
  'SLUICE_REDIS_TLS_CERT',
  'SLUICE_REDIS_TLS_KEY',
  'SLUICE_TLS_CERT',
  'SLUICE_TLS_KEY',
  'SLUICE_CHANNELS',
]);
