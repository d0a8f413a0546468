import type { FastifyInstance } from 'fastify';
import { describeApi } from '../http/api/describe-api.ts';
import type { DescribedRoutes } from '../http/api/described-routes.ts';
import { API_DOCUMENT } from './page-operations.ts';

export interface ApiDocumentOptions {
  readonly described: Pick<DescribedRoutes, 'list'>;
  readonly version: string;
  /** The name of the cookie that may hold a token. */
  readonly tokenCookie: string;
}

/** `/openapi.json`. Made once, after all routes are registered. The start fails when a route has no description. */
export async function apiDocument(
  app: FastifyInstance,
  { described, version, tokenCookie }: ApiDocumentOptions,
): Promise<void> {
  let document = Buffer.alloc(0);
  app.addHook('onReady', async () => {
    document = Buffer.from(JSON.stringify(describeApi(described.list(), { version, tokenCookie })));
  });
  app.get(
    '/openapi.json',
    { exposeHeadRoute: true, config: { operation: API_DOCUMENT } },
    (_request, reply) =>
      reply.header('cache-control', 'no-cache').header('content-type', 'application/json').send(document),
  );
}
