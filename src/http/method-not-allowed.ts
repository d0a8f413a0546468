import { METHODS } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { BrokerError } from '../events/errors.ts';
import { sendProblem } from './problem.ts';

/** Remembers the methods of each path as routes are added. */
export class KnownRoutes {
  readonly #methods = new Map<string, Set<string>>();

  watch(app: FastifyInstance): void {
    app.addHook('onRoute', ({ url, method }) => {
      const known = this.#methods.get(url) ?? new Set<string>();
      for (const one of [method].flat()) known.add(one);
      this.#methods.set(url, known);
    });
  }

  /** Answers all other methods on these paths with 405 and `Allow` (RFC 9110 §15.5.6). Fastify would answer 404. */
  refuseOthers(app: FastifyInstance): void {
    for (const method of METHODS) {
      if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method);
    }
    for (const [url, known] of this.#methods) {
      if (url === '*') continue;
      const method = app.supportedMethods.filter((one) => !known.has(one));
      const allow = [...known, 'OPTIONS'].filter((one, index, all) => all.indexOf(one) === index).join(', ');
      app.route({
        url,
        method,
        config: { operation: null },
        // Answers before the body is read.
        onRequest: async (request, reply) => {
          reply.header('allow', allow);
          if (request.method === 'OPTIONS') return reply.code(204).send();
          return sendProblem(
            reply,
            new BrokerError('method-not-allowed', `${request.method} is not allowed here. Use ${allow}.`),
          );
        },
        handler: () => undefined,
      });
    }
  }
}
