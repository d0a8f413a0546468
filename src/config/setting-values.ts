import { isIP } from 'node:net';
import { z } from 'zod';
import { parseChannelPattern } from '../events/channel-pattern.ts';
import { parseDuration } from '../events/duration.ts';
import { parseOriginPattern } from '../auth/origin-pattern.ts';
import type { Rate } from '../auth/rate.ts';
import { parseRedisAddress } from '../redis/redis-address.ts';
import { commaList, isQuoted } from './raw-values.ts';
import { networkShare } from './network-share.ts';

// Formats of setting values (docs/protocol.md §9). Each message completes "expected …".

const SIZE_UNITS = { '': 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 } as const;
/** Trusted networks must hold less than this share of all addresses. */
const MAX_TRUSTED_SHARE = 0.5;
/** The longest delay that setTimeout accepts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const duration = (min: number, max = MAX_TIMER_MS) =>
  z
    .string()
    .toLowerCase()
    .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/, 'a number with ms, s, m, h or d')
    .transform((text) => parseDuration(text) ?? 0)
    .pipe(z.number().min(min, `at least ${min} ms`).max(max, `at most ${max} ms`));

export const size = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .toLowerCase()
    .regex(/^\d+(?:kib|mib|gib)?$/, 'a number of bytes, or one with KiB, MiB or GiB')
    .transform((text) => {
      const [, digits = '', unit = ''] = /^(\d+)(.*)$/.exec(text) ?? [];
      return Number(digits) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
    })
    .pipe(z.number().min(min, `at least ${min} bytes`).max(max, `at most ${max} bytes`));

/** Gives Infinity for `off`. */
export const durationOrOff = (min: number, max = MAX_TIMER_MS) =>
  z
    .string()
    .toLowerCase()
    .regex(/^(?:off|\d+(?:\.\d+)?(?:ms|s|m|h|d))$/, 'a number with ms, s, m, h or d, or off')
    .transform((text, context) => {
      if (text === 'off') return Infinity;
      const { data, error } = duration(min, max).safeParse(text);
      if (data !== undefined) return data;
      context.addIssue(error?.issues[0]?.message ?? '');
      return z.NEVER;
    });

export const onOrOff = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['on', 'off'], 'on or off'))
  .transform((text) => text === 'on');

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const logLevel = z
  .string()
  .toLowerCase()
  .pipe(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`));

/** Removes the brackets that a URL has around an IPv6 address. */
export const listenHost = z
  .string()
  .min(1, 'an address to listen on')
  .transform((text) => text.replace(/^\[(.*)\]$/, '$1'));

export const count = (min: number, max: number) =>
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

const list = z.string().transform(commaList);

export const origins = list.pipe(
  z
    .array(
      z
        .string()
        .refine(
          (origin) => origin === '*' || parseOriginPattern(origin) !== undefined,
          'origins such as https://app.example.com, https://*.example.com or capacitor://localhost; or * alone',
        ),
    )
    // With * no cookie is accepted, so origins listed beside it would suggest wrongly that their cookies are.
    .refine(
      (all) => !all.includes('*') || all.every((origin) => origin === '*'),
      '* or a list of origins, not both: with * every page may read, but no page may use a cookie. List origins without * to accept their cookies',
    ),
);

/** When the log on disk syncs: before each answer, or every second. */
export const syncPace = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['always', '1s'], 'always or 1s'));

/** RFC 6265 §4.1.1. */
export const cookieName = z
  .string()
  .regex(/^[\w!#$%&'*+\-.^`|~]{1,100}$/, 'the name of a cookie, such as __Host-sluice');

export const patterns = list.pipe(
  z.array(
    z.string().transform((text, context) => {
      const pattern = parseChannelPattern(text);
      if (pattern !== undefined) return pattern;
      context.addIssue('channel names, prefixes followed by *, or *');
      return z.NEVER;
    }),
  ),
);

export const keys = list.pipe(
  z.array(
    z
      .string()
      .refine(
        (key) => /^[\x21-\x7e]{1,512}$/.test(key) && !isQuoted(key),
        'keys of visible ASCII characters, separated by commas and without quotes around them',
      ),
  ),
);

const RATE_UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const;
const A_RATE = 'a whole number of times a second, minute or hour, such as 100/s, 6000/m or 1000/h';

export const rate = z
  .string()
  .toLowerCase()
  .regex(/^[1-9]\d{0,8}\/[smh]$/, A_RATE)
  .transform((text): Rate => {
    const [limit = '', unit = 's'] = text.split('/');
    return { limit: Number(limit), window: RATE_UNITS[unit as keyof typeof RATE_UNITS] };
  });

export const rateOrOff = z
  .string()
  .toLowerCase()
  .regex(/^(?:off|[1-9]\d{0,8}\/[smh])$/, `${A_RATE}, or off`)
  .transform((text): Rate => (text === 'off' ? { limit: Infinity, window: 0 } : rate.parse(text)));

export const networks = list
  .pipe(z.array(z.string().refine(isNetwork, 'IP addresses, and networks such as 10.0.0.0/8 or fd00::/8')))
  // A network of all addresses, or two of half of them, would trust every X-Forwarded-For.
  .pipe(
    z
      .array(z.string())
      .refine(
        (all) => networkShare(all) < MAX_TRUSTED_SHARE,
        'only the addresses of your own proxies; this list is too wide, with half of all addresses or more',
      ),
  );

/** Checks the URL and keeps its text. The code that connects parses the text again. */
export const redisUrl = z.string().transform((text, context) => {
  try {
    parseRedisAddress(text);
    return text;
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  const family = isIP(address);
  // A zone (%eth0) names an interface of one machine, and cannot be part of a network.
  if (family === 0 || address.includes('%') || more.length > 0) return false;
  if (prefix === undefined) return true;
  return /^(?:0|[1-9]\d{0,2})$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}
