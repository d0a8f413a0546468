import type { FastifyInstance } from 'fastify';
import { STREAM_HEADERS } from '../stream/stream-head.ts';

/**
 * The security headers of every answer. The answer to a publish has only the first, and a stream the first two, because a
 * browser never shows them as a page.
 * - `nosniff`: a browser must not guess the type, so that a publisher's text cannot run as a script.
 * - `same-origin`: no page of another origin may embed the answer. (CORS decides whether it may read the answer.)
 * - The policy: if a browser shows the answer as a page, it loads and runs nothing, and no page may frame it.
 * - `no-referrer`: a URL may hold a cursor or a token.
 *
 * Strict-Transport-Security is left to the owner of the certificate, because it affects everything on the host name.
 */
export const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
} as const;

/** Adds the headers just before an answer is sent. Keeps a header that the route has set, and skips streams. */
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
