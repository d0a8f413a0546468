import fastifyCors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';

/** The same for answers that are given before any hook runs. */
export function originHeaders(
  origins: readonly string[],
  origin: string | undefined,
): Record<string, string> {
  if (origins.length === 0) return {};
  if (origins.includes('*')) return { 'access-control-allow-origin': '*' };
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' };
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
  };
}

/** How long a browser may remember a preflight's answer, in seconds. */
const PREFLIGHT_AGE = 7_200;

/**
 * Cross-origin access (docs/protocol.md §7): listed origins are echoed, with credentials; `*` is answered as such and
 * never with credentials, or any page could read with its visitor's cookies.
 */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  const any = origins.includes('*');
  const listed = new Set(origins);
  await app.register(fastifyCors, {
    // A function, because with a list the plugin allows credentials to origins that are not on it.
    origin: any
      ? '*'
      : (origin, answer) => answer(null, origin !== undefined && listed.has(origin) ? origin : false),
    credentials: !any,
    methods: ['GET', 'HEAD', 'POST'],
    allowedHeaders: ['Authorization', 'Last-Event-ID', 'Content-Type', 'Idempotency-Key'],
    exposedHeaders: ['Retry-After', 'RateLimit', 'RateLimit-Policy', 'Idempotent-Replayed'],
    maxAge: PREFLIGHT_AGE,
    strictPreflight: false,
  });
}
