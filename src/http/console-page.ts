import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { API_PAGE, CONSOLE } from './api/page-operations.ts';

/** The page may talk to this broker and to nothing else, and nobody may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  // No text becomes markup by accident: nothing here is made of strings.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** The console at `/` and the API's description at `/docs`: plain files from `folder`. */
export async function consolePage(app: FastifyInstance, { folder }: { folder: string }): Promise<void> {
  app.addHook('onRoute', (route) => {
    route.config = { operation: route.url === '/' ? CONSOLE : null, ...route.config };
  });
  await app.register(fastifyStatic, {
    root: folder,
    serve: true,
    wildcard: false,
    setHeaders: (reply) => {
      reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    },
  });
  app.get('/docs', { exposeHeadRoute: true, config: { operation: API_PAGE } }, (_request, reply) =>
    reply.sendFile('docs.html'),
  );
}
