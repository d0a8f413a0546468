import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Operation } from './api/operation.ts';

export interface DescribedRoute {
  readonly method: string;
  /** As Fastify writes it: `/events/:channel`. */
  readonly url: string;
  readonly operation: Operation;
}

/** Remembers each route that is added from now on, and how it is described. */
export class DescribedRoutes {
  readonly #routes: RouteOptions[] = [];

  watch(app: FastifyInstance): void {
    app.addHook('onRoute', (route) => void this.#routes.push(route));
  }

  /**
   * All that have a description, in the order in which they were added.
   * @throws Error for a route that has none, and does not say that it needs none
   */
  list(): readonly DescribedRoute[] {
    return this.#routes.flatMap(({ method, url, config }) => {
      const operation = config?.operation;
      if (operation === null) return [];
      if (operation === undefined) {
        throw new Error(
          `The route ${String(method)} ${url} is not described: give it config.operation, or null there to leave it out of /openapi.json.`,
        );
      }
      return [method].flat().map((one) => ({ method: one, url, operation }));
    });
  }
}
