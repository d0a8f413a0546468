import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { API_PAGE, CONSOLE } from './page-operations.ts';
import { pageModules } from './page-modules.ts';

/** The page may send requests only to this broker, and no other page may frame it. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  // The browser refuses to turn strings into markup. The page builds all elements with DOM methods.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Serves the console at `/` and the API page at `/docs`, from the files in `folder`. */
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
  await pageModules(app);
}
