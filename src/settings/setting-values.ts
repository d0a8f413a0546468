import { isIP } from 'node:net';
import { z } from 'zod';
import { parseChannelPattern } from '../core/channel-pattern.ts';
import { parseOriginPattern } from '../core/origin-pattern.ts';
import type { Rate } from '../core/rate.ts';
import { parseRedisAddress } from '../core/redis-address.ts';
import { commaList } from './comma-list.ts';
import { isQuoted } from './is-quoted.ts';
import { networkShare } from './network-share.ts';

// The forms that values of settings take (docs/protocol.md §9). Each message completes "expected …".

export const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { '': 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 } as const;
/** Half of all addresses. */
const MOST_TRUSTED = 0.5;
/** setTimeout takes no more. */
const MAX_TIMER = 2 ** 31 - 1;

export const duration = (min: number, max = MAX_TIMER) =>
  z
    .string()
    .toLowerCase()
    .regex(/^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/, 'a number with ms, s, m, h or d')
    .transform((text) => {
      const [, digits = '', unit = 'ms'] = /^([\d.]+)(.+)$/.exec(text) ?? [];
      return Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
    })
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

/** Infinity for `off`. */
export const durationOrOff = (min: number, max = MAX_TIMER) =>
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

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

export const logLevel = z
  .string()
  .toLowerCase()
  .pipe(z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`));

/** A URL has brackets around an address of IPv6, a socket has none. */
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
    // A list beside it would promise that the cookies of its pages are taken.
    .refine(
      (all) => !all.includes('*') || all.every((origin) => origin === '*'),
      '* or other origins, not both: with * every page may read, and no page with a cookie. List the origins alone to have theirs taken',
    ),
);

/** A name as RFC 6265 §4.1.1 has it. */
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
  // Together they may be everybody, and then every X-Forwarded-For there is would be believed.
  .pipe(
    z
      .array(z.string())
      .refine(
        (all) => networkShare(all) < MOST_TRUSTED,
        'the addresses of your own proxies, and not half of all there are',
      ),
  );

/** Kept as it is written, and taken apart again by who connects. */
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
  // A zone belongs to one machine's interfaces; whoever writes it means something else.
  if (family === 0 || address.includes('%') || more.length > 0) return false;
  if (prefix === undefined) return true;
  // A network of everybody would believe every X-Forwarded-For there is.
  return /^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128);
}
