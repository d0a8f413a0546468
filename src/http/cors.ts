import fastifyCors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';

/** The headers of answers that a page can read. */
const EXPOSED_HEADERS = [
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'Idempotent-Replayed',
  'Sluice-Position',
  'ETag',
];
const EXPOSED = { 'access-control-expose-headers': EXPOSED_HEADERS.join(', ') };

/** The CORS headers of answers that are sent without the plugin. The same as those of the plugin, in the same order. */
export function originHeaders(
  origins: Pick<AllowedOrigins, 'any' | 'none' | 'lists'>,
  origin: string | undefined,
): Record<string, string> {
  if (origins.none) return {};
  if (origins.any) return { 'access-control-allow-origin': '*', ...EXPOSED };
  if (!origins.lists(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    ...EXPOSED,
  };
}

/** How long a browser may cache the answer to a preflight. */
const PREFLIGHT_MAX_AGE_S = 7_200;
const REQUESTED_HEADERS = 'access-control-request-headers';
/** In characters. The answer repeats the requested list. No page requests a longer one. */
const MAX_REQUESTED_LENGTH = 4_096;
/** A comma-separated list of field names (RFC 9110 §5.1). */
const FIELD_NAMES = /^[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~\w]+)*$/;
/** The request headers that the broker reads. */
const OWN_HEADERS = 'Authorization, Last-Event-ID, Content-Type, Idempotency-Key';

/**
 * Cross-origin access (docs/protocol.md §7). A listed origin is echoed and may send credentials. `*` is answered with `*` and
 * without credentials: otherwise any page could read with its visitor's cookies.
 */
export async function allowOrigins(
  app: FastifyInstance,
  origins: Pick<AllowedOrigins, 'any' | 'none' | 'lists'>,
): Promise<void> {
  if (origins.none) return;
  // The plugin repeats this header unchecked. This hook replaces a value that is not a list of field names.
  app.addHook('onRequest', async ({ method, headers }) => {
    if (method === 'OPTIONS' && !isFieldNames(headers[REQUESTED_HEADERS]))
      headers[REQUESTED_HEADERS] = OWN_HEADERS;
  });
  await app.register(fastifyCors, {
    // A function, because with a list the plugin allows credentials to unlisted origins.
    origin: origins.any ? '*' : (origin, answer) => answer(null, origins.lists(origin) ? origin : false),
    credentials: !origins.any,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    // Without allowedHeaders, the plugin allows every requested header. Tracing libraries add their own headers to each
    // request, and no header gives a page more rights than its origin has. `*` would cover neither Authorization nor
    // requests with cookies.
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_MAX_AGE_S,
    strictPreflight: false,
  });
}

function isFieldNames(value: string | string[] | undefined): boolean {
  return typeof value === 'string' && value.length <= MAX_REQUESTED_LENGTH && FIELD_NAMES.test(value);
}
