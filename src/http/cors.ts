import fastifyCors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { AllowedOrigins } from '../auth/allowed-origins.ts';

/** The same for answers that are given before any hook runs. */
export function originHeaders(
  origins: Pick<AllowedOrigins, 'any' | 'none' | 'lists'>,
  origin: string | undefined,
): Record<string, string> {
  if (origins.none) return {};
  if (origins.any) return { 'access-control-allow-origin': '*' };
  if (!origins.lists(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
  };
}

/** How long a browser may remember a preflight's answer, in seconds. */
const PREFLIGHT_AGE = 7_200;
const ASKED = 'access-control-request-headers';
/** What a preflight may ask for is answered with what it asks for; longer lists are no page's. */
const MAX_ASKED_LENGTH = 4_096;
/** A comma-separated list of field names (RFC 9110 §5.1). */
const FIELD_NAMES = /^[!#$%&'*+\-.^_`|~\w]+(?:[ \t]*,[ \t]*[!#$%&'*+\-.^_`|~\w]+)*$/;
/** The headers that the broker itself reads. */
const OWN_HEADERS = 'Authorization, Last-Event-ID, Content-Type, Idempotency-Key';

/**
 * Cross-origin access (docs/protocol.md §7): listed origins are echoed, with credentials; `*` is answered as such and
 * never with credentials, or any page could read with its visitor's cookies.
 */
export async function allowOrigins(
  app: FastifyInstance,
  origins: Pick<AllowedOrigins, 'any' | 'none' | 'lists'>,
): Promise<void> {
  if (origins.none) return;
  // The plugin repeats the header as it is; before that, what is no list of field names is replaced.
  app.addHook('onRequest', async ({ method, headers }) => {
    if (method === 'OPTIONS' && !isFieldNames(headers[ASKED])) headers[ASKED] = OWN_HEADERS;
  });
  await app.register(fastifyCors, {
    // A function, because with a list the plugin allows credentials to origins that are not on it.
    origin: origins.any ? '*' : (origin, answer) => answer(null, origins.lists(origin) ? origin : false),
    credentials: !origins.any,
    methods: ['GET', 'HEAD', 'POST'],
    // No allowedHeaders: then whatever is asked for is allowed. Libraries for tracing and errors add headers of their own to
    // each request, and no header gives a page more than its origin has. A `*` would not cover Authorization, nor
    // requests with cookies.
    exposedHeaders: ['Retry-After', 'RateLimit', 'RateLimit-Policy', 'Idempotent-Replayed'],
    maxAge: PREFLIGHT_AGE,
    strictPreflight: false,
  });
}

function isFieldNames(value: string | string[] | undefined): boolean {
  return typeof value === 'string' && value.length <= MAX_ASKED_LENGTH && FIELD_NAMES.test(value);
}
