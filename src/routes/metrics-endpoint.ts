import type { FastifyInstance } from 'fastify';
import { METRICS } from './health-operations.ts';

export interface Exposition {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** Serves `/metrics` in Prometheus' text format. */
export async function metricsRoute(
  app: FastifyInstance,
  { exposition }: { exposition: Exposition },
): Promise<void> {
  // Collecting takes some milliseconds. Requests that arrive meanwhile share the result.
  let pending: Promise<string> | undefined;
  const metrics = (): Promise<string> =>
    (pending ??= exposition.metrics().finally(() => {
      pending = undefined;
    }));

  app.get('/metrics', { config: { operation: METRICS } }, async (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .header('content-type', exposition.contentType)
      .send(await metrics()),
  );
}
