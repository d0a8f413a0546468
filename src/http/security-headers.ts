import type { FastifyInstance } from 'fastify';
import { STREAM_HEADERS } from '../sse/stream-head.ts';

/**
 * What every answer says to a browser besides its content, but for the answers to a publish and to a subscription, which
 * say no more than `nosniff` and who may embed them: no browser shows those.
 * - no guessing of a type: what a publisher wrote must not run as a script
 * - no page of another origin may embed it (CORS, by which another origin may read it, is not concerned)
 * - no frame, and nothing in it that loads or runs, should a browser show it as a page
 * - no Referer: a URL may hold a cursor, and a token
 *
 * Strict-Transport-Security belongs to whoever has the certificate, for all that is on that host name.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

/** In the last step before an answer leaves, so that a route may have said something else, and a stream is left alone. */
export function secureAnswers(app: FastifyInstance): void {
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (reply.getHeader('content-type') !== STREAM_HEADERS['content-type']) {
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
        if (!reply.hasHeader(name)) reply.header(name, value);
      }
    }
    done(null, payload);
  });
}
