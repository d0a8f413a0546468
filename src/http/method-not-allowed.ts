import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import findMyWay from 'find-my-way';
import { BrokerError } from '../events/errors.ts';
import { sendProblem } from './problem.ts';

/**
 * Answers a method that a path does not have with 405 and `Allow` (RFC 9110 §15.5.6). Fastify would answer 404. Looks only at
 * requests that have no route, and before their body is read. Call it before the routes are added.
 * @param maxParamLength that of the server's routes
 */
export function refuseOtherMethods(app: FastifyInstance, maxParamLength: number): void {
  const methods = new Map<string, Set<string>>();
  // Fastify's own router, so that it finds what Fastify would find. It has the paths, all with the same method.
  const paths = findMyWay({ maxParamLength });

  app.addHook('onRoute', ({ url, method }) => {
    if (url === '*') return;
    let known = methods.get(url);
    if (known === undefined) {
      methods.set(url, (known = new Set()));
      paths.on('GET', url, () => undefined, known);
    }
    for (const one of [method].flat()) known.add(one);
  });

  app.addHook('onRequest', (request, reply, done) => {
    const known = hasNoRoute(request)
      ? (paths.find('GET', request.url)?.store as Set<string> | undefined)
      : undefined;
    if (known === undefined) done();
    else void answer(request, reply, known);
  });
}

function answer(request: FastifyRequest, reply: FastifyReply, known: ReadonlySet<string>): FastifyReply {
  const allow = [...new Set([...known, 'OPTIONS'])].join(', ');
  reply.header('allow', allow);
  if (request.method === 'OPTIONS') return reply.code(204).send();
  return sendProblem(
    reply,
    new BrokerError('method-not-allowed', `${request.method} is not allowed here. Use ${allow}.`),
  );
}

/** The plugin for CORS has a route for OPTIONS of any path. */
function hasNoRoute({ is404, routeOptions }: FastifyRequest): boolean {
  return is404 || routeOptions.url === '*';
}
