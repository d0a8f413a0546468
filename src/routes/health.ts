import type { FastifyInstance } from 'fastify';
import { LIVENESS, readinessAt } from './health-operations.ts';

export interface Readiness {
  readonly ready: boolean;
  /** The result of each check, by its name. */
  readonly checks: Readonly<Record<string, string>>;
}

/** `/livez`, `/readyz` and `/healthz` (docs/protocol.md §8). */
export async function healthRoutes(
  app: FastifyInstance,
  { readiness }: { readiness: () => Promise<Readiness> },
): Promise<void> {
  // An answer shows that the event loop runs. Redis does not matter here, because a restart would not repair Redis.
  app.get('/livez', { exposeHeadRoute: true, config: { operation: LIVENESS } }, (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'live' }),
  );

  for (const path of ['readyz', 'healthz'] as const) {
    app.get(
      `/${path}`,
      { exposeHeadRoute: true, config: { operation: readinessAt(path) } },
      async (_request, reply) => {
        const { ready, checks } = await readiness();
        return reply
          .header('cache-control', 'no-store')
          .code(ready ? 200 : 503)
          .send({ status: ready ? 'ready' : 'not ready', checks });
      },
    );
  }
}
