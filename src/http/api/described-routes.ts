import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Operation } from './operation.ts';

export interface DescribedRoute {
  readonly method: string;
  /** In Fastify's form: `/events/:channel`. */
  readonly url: string;
  readonly operation: Operation;
}

/** Remembers each route that is added from now on, with its description. */
export class DescribedRoutes {
  readonly #routes: RouteOptions[] = [];

  watch(app: FastifyInstance): void {
    app.addHook('onRoute', (route) => void this.#routes.push(route));
  }

  /**
   * Returns all routes that have a description, in the order in which they were added.
   * @throws Error for a route whose `operation` is missing (null leaves a route out)
   */
  list(): readonly DescribedRoute[] {
    return this.#routes.flatMap(({ method, url, config }) => {
      const operation = config?.operation;
      if (operation === null) return [];
      if (operation === undefined) {
        throw new Error(
          `The route ${String(method)} ${url} has no description. Set config.operation. Null leaves the route out of /openapi.json.`,
        );
      }
      return [method].flat().map((one) => ({ method: one, url, operation }));
    });
  }
}
