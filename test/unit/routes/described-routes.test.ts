import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { LIVENESS } from '../../../src/routes/health-operations.ts';
import { apiDocument } from '../../../src/routes/api-document.ts';
import { DescribedRoutes } from '../../../src/http/api/described-routes.ts';

test('a server with a route without a description does not start', async () => {
  const app = Fastify();
  const described = new DescribedRoutes();
  described.watch(app);
  await app.register(apiDocument, { described, version: '1.0.0', tokenCookie: 'sluice_token' });
  app.delete('/forgotten', () => 'x');
  await expect(app.ready()).rejects.toThrow(
    'The route DELETE /forgotten has no description. Set config.operation. Null leaves the route out of /openapi.json.',
  );
});

test('a route is in the document when it has a description, and is left out when it has null', async () => {
  const app = Fastify();
  const described = new DescribedRoutes();
  described.watch(app);
  await app.register(apiDocument, { described, version: '1.0.0', tokenCookie: 'sluice_token' });
  app.route({
    method: ['GET', 'PUT'],
    url: '/new/:name',
    config: { operation: LIVENESS },
    handler: () => 'x',
  });
  app.get('/page.css', { exposeHeadRoute: false, config: { operation: null } }, () => 'x');
  const { paths } = (await app.inject('/openapi.json')).json<{ paths: Record<string, object> }>();
  const methods = Object.entries(paths).map(([path, item]) => [path, Object.keys(item)]);
  expect(Object.fromEntries(methods)).toEqual({
    '/openapi.json': ['get', 'head'],
    '/new/{name}': ['get', 'head', 'put'],
  });
});
