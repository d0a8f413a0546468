import type { RequestListener } from 'node:http';
import { fileURLToPath } from 'node:url';
import Fastify from 'fastify';
import { consolePage } from '../../src/routes/console-page.ts';
import type { PageServer } from './page-server.ts';

const FOLDER = fileURLToPath(new URL('../../src/console/', import.meta.url));

/**
 * Serves the console under any path, as behind a proxy that adds a prefix. Also stands in for the broker at `…/events`, to
 * give answers that a real broker gives only rarely. Close it in `afterAll`.
 */
export async function startConsoleServer(
  events: RequestListener,
  log = (): string => 'up',
): Promise<PageServer> {
  const app = Fastify({
    // Removes the prefix: what is left begins with a folder of the console, or is a file.
    rewriteUrl: ({ url = '/' }) => {
      const [path = '', ...query] = url.split('?');
      const file = /\/(?:(?:client|uplot|overview|docs)\/)?[^/]*$/.exec(path)?.[0] ?? '/';
      return [file, ...query].join('?');
    },
  });
  app.get('/events', { config: { operation: null } }, (request, reply) => {
    reply.hijack();
    events(request.raw, reply.raw);
  });
  app.get('/readyz', { config: { operation: null } }, () => ({ status: 'ready', checks: { log: log() } }));
  await app.register(async (scope) => await consolePage(scope, { folder: FOLDER }));
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  return {
    origin,
    async close() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
